# Builds a plugin in Zig: build/NAME.wasm of $(KIND).zig and what it imports. Needs python3 and till.

KIT ?= kits/zig
KITS ?= $(KIT)/..
TOOLCHAIN := ziglang
PINS := $(KIT)/requirements.txt
SOURCES := $(shell find . -name '*.zig' -not -path './build/*' -not -path './.*' -not -path './kits/*')
include $(KITS)/component.mk
include $(KITS)/venv.mk

# What Zig compiles of its own library is kept beside it.
export ZIG_GLOBAL_CACHE_DIR := $(TOOL)/cache
export ZIG_LOCAL_CACHE_DIR := build/cache

# The interface's track: a checkout and an inventory are of 0.1, the hooks of 0.2.
TRACK := $(if $(filter checkout inventory,$(KIND)),0_1,0_2)

# Safe: an overflow, an index past the end or a null that was said to be none ends the call.
ZIGFLAGS ?= -OReleaseSafe -fstrip
WIRE := --dep wire --dep track

$(COMPONENT): | $(TOOL)/.installed
	$(TOOL)/bin/python-zig build-exe -target wasm32-freestanding -fno-entry -rdynamic --stack 131072 $(ZIGFLAGS) \
		--dep plugin --dep till --dep wire -Mroot=$(KIT)/exports/$(KIND).zig --dep till -Mplugin=$(KIND).zig \
		$(WIRE) -Mtill=$(KIT)/till.zig -Mwire=$(KIT)/wire.zig --dep wire -Mtrack=$(KIT)/track/$(TRACK).zig \
		-femit-bin=build/core.wasm
	$(TILL) plugin pack build/core.wasm --kind $(KIND) --name $(NAME) --version $(VERSION) --lang Zig --out $@
