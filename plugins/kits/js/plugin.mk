# Builds a plugin in JavaScript, or in TypeScript if there is a tsconfig.json: build/NAME.wasm of $(KIND).js or .ts and
# what it imports. Types are checked in either, as tsconfig.json or jsconfig.json says. Needs node, npm and till.
#
# ENGINE is quickjs or starlingmonkey. StarlingMonkey is the whole of SpiderMonkey: 12 MB, slower to build and to call, for a checkout or
# an inventory that needs what QuickJS doesn't have. There, too, `using` works, and a u64 is a number.
#
# ROOT is the folder that holds the plugin and the kit; what is imported has to be in it.

KIT ?= kits/js
KITS ?= $(KIT)/..
ENGINE ?= quickjs
ROOT ?= .
ifeq ($(ENGINE),starlingmonkey)
TOOLCHAIN := starlingmonkey
PACKAGES := $(KIT)/starlingmonkey
PINS := $(PACKAGES)/package-lock.json $(KIT)/erase.mjs
else ifeq ($(ENGINE),quickjs)
TOOLCHAIN := js
PACKAGES := $(KIT)
PINS := $(KIT)/package-lock.json $(KIT)/erase.mjs
else
$(error ENGINE is $(ENGINE), wanted quickjs or starlingmonkey)
endif
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
ifeq ($(ENGINE),starlingmonkey)
ifeq ($(filter checkout inventory,$(KIND)),)
	$(error the engine starlingmonkey builds a checkout or an inventory, and this is a $(KIND))
endif
	$(TOOL)/node_modules/.bin/esbuild $(firstword $(wildcard $(KIND).js $(KIND).ts)) --bundle --format=esm --target=es2022 \
		'--external:till:*' --log-level=warning --outfile=build/bundle.js
	$(TOOL)/node_modules/.bin/componentize-js build/bundle.js --wit $(WIT) --world-name $(KIND)-plugin --disable http \
		--disable fetch-event --out build/nameless.wasm
else
ifneq ($(wildcard tsconfig.json),)
	rm -rf build/js
	node $(TOOL)/erase.mjs $(ROOT) build/js $(filter %.js %.ts,$(SOURCES)) $(wildcard $(KIT)/*.js $(KIT)/hooks/*.js)
endif
	$(TOOL)/node_modules/.bin/componentize-qjs --wit $(WIT) --world $(KIND)-plugin --sync \
		--module-root $(MODULES) --js $(ENTRY) --output build/nameless.wasm
endif
	$(TILL) plugin pack build/nameless.wasm --kind $(KIND) --name $(NAME) --version $(VERSION) --lang JavaScript --out $@

$(TOOL)/.installed:
	$(call needs,node,install Node.js 20 or newer: apt-get install nodejs npm)
	$(call needs,npm,it comes with Node.js or as Debian's package npm)
	rm -rf $(TOOL)
	mkdir -p $(TOOL)
	cp $(PACKAGES)/package.json $(PACKAGES)/package-lock.json $(KIT)/erase.mjs $(TOOL)
	npm ci --prefix $(TOOL) --no-audit --no-fund
	touch $@
