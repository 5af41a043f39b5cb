# Builds a plugin in C: build/NAME.wasm of all the C files beside the Makefile. Needs python3 and till.

KIT ?= kits/c
KITS ?= $(KIT)/..
LANG := c
PINS := $(KIT)/requirements.txt
SOURCES := $(wildcard *.c *.h)
include $(KITS)/component.mk
include $(KITS)/venv.mk

CC_WASM = $(TOOL)/bin/python-zig cc -target wasm32-wasi -I build/bindings -I $(KIT)
CFLAGS ?= -std=gnu17 -Os -Wall -Wextra -Werror
# What isn't asked for here is a stack of 16 MiB, which every instance would begin with.
LDFLAGS := -mexec-model=reactor -Wl,--strip-all -Wl,-z,stack-size=131072

$(COMPONENT): | $(TOOL)/.installed
	$(TILL) plugin bindings --lang c --kind $(KIND) --out build/bindings
	$(CC_WASM) -Os -w -c build/bindings/till.c -o build/bindings.o
	$(CC_WASM) $(CFLAGS) $(LDFLAGS) $(filter %.c,$(SOURCES)) $(KIT)/till_kit.c $(KIT)/till_$(KIND).c \
		build/bindings.o build/bindings/till_component_type.o -o build/core.wasm
	$(TILL) plugin pack build/core.wasm --kind $(KIND) --name $(NAME) --version $(VERSION) --lang C --out $@
