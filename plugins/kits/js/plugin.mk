# Builds a plugin in JavaScript, or in TypeScript if there is a tsconfig.json: build/NAME.wasm of $(KIND).js or .ts and
# what it imports. Types are checked in either, as tsconfig.json or jsconfig.json says. Needs node, npm and till.
#
# ROOT is the folder that holds the plugin and the kit; what is imported has to be in it.

KIT ?= kits/js
KITS ?= $(KIT)/..
LANG := js
ROOT ?= .
PINS := $(KIT)/package-lock.json $(KIT)/erase.mjs
PLACES := -path ./build -prune -o -path ./kits -prune -o -path './.*' -prune -o -path ./node_modules -prune
PROJECT := $(firstword $(wildcard tsconfig.json jsconfig.json))
SOURCES := $(PROJECT) $(shell find . $(PLACES) -o -name '*.[jt]s' -print)
include $(KITS)/component.mk

IN_ROOT := $(patsubst ./%,%,$(shell realpath --relative-to $(ROOT) .))
ifeq ($(wildcard tsconfig.json),)
ENTRY := $(KIND).js
MODULES := $(ROOT)
else
ENTRY := build/js/$(IN_ROOT)/$(KIND).js
MODULES := build/js
endif

$(COMPONENT): | $(TOOL)/.installed
ifneq ($(PROJECT),)
	$(TOOL)/node_modules/.bin/tsc --project $(PROJECT) --noEmit
endif
ifneq ($(wildcard tsconfig.json),)
	rm -rf build/js
	node $(TOOL)/erase.mjs $(ROOT) build/js $(filter %.js %.ts,$(SOURCES)) $(wildcard $(KIT)/*.js $(KIT)/hooks/*.js)
endif
	$(TOOL)/node_modules/.bin/componentize-qjs --wit $(WIT) --world $(KIND)-plugin --sync \
		--module-root $(MODULES) --js $(ENTRY) --output build/nameless.wasm
	$(TILL) plugin pack build/nameless.wasm --kind $(KIND) --name $(NAME) --version $(VERSION) --lang JavaScript --out $@

$(TOOL)/.installed:
	$(call needs,node,install Node.js 20 or newer: apt-get install nodejs npm)
	$(call needs,npm,it comes with Node.js or as Debian's package npm)
	rm -rf $(TOOL)
	mkdir -p $(TOOL)
	cp $(KIT)/package.json $(KIT)/package-lock.json $(KIT)/erase.mjs $(TOOL)
	npm ci --prefix $(TOOL) --no-audit --no-fund
	touch $@
