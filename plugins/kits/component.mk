# What the kits' plugin.mk have in common: the plugin's name, where its tool stands, and when to build anew.
#
# The tool's folder is named after TOOLCHAIN and the pins, so that changed ones are installed beside the old and nothing is ever half
# one and half the other. BASE is what the kit uses of another kit. What was built goes by what it was built of, not by the files'
# times: build/.DIGEST.

TILL ?= till
WIT ?= wit/v0.1
TILL_PLUGIN_TOOLS ?= .tools

NAME ?= $(notdir $(CURDIR))
COMPONENT := build/$(NAME).wasm
TOOL := $(abspath $(TILL_PLUGIN_TOOLS))/$(TOOLCHAIN)-$(shell cat $(PINS) | sha256sum | cut -c1-12)
BUILT_OF := Makefile $(SOURCES) $(PINS) $(BASE) $(wildcard $(KIT)/*.* $(KIT)/*/*.* $(KIT)/*/*/*.* $(KIT)/*/*/*/*.* $(KITS)/*.mk $(WIT)/*.wit)
STAMP := build/.$(shell sha256sum $(BUILT_OF) | sha256sum | cut -c1-16)

# Says what to do about a program that is missing.
needs = @command -v $(1) >/dev/null || { echo "$(1) is missing: $(2)" >&2; exit 1; }

.DEFAULT_GOAL := $(COMPONENT)
.DELETE_ON_ERROR:
.PHONY: check clean

check: $(COMPONENT)
	$(TILL) plugin check $(COMPONENT)

clean:
	rm -rf build

$(COMPONENT): $(STAMP)

$(STAMP):
	$(call needs,$(TILL),put the folder with the till binary on PATH or say: make TILL=path/to/till)
	mkdir -p build
	rm -f build/.[0-9a-f]*
	touch $@
