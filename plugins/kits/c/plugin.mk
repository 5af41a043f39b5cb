# Builds a plugin in C: build/NAME.wasm of all the C files beside the Makefile. Needs python3 and till.

KIT ?= kits/c
KITS ?= $(KIT)/..
TOOLCHAIN := ziglang
PINS := $(KIT)/requirements.txt
SOURCES := $(wildcard *.c *.h)
include $(KITS)/component.mk
include $(KITS)/venv.mk

C_KIT := $(KIT)
include $(KIT)/clang.mk

# What a checkout decides is checked on its way out: the kit's function has the interface's name, and calls the plugin's
# (till_checkout.c).
DECIDED := -Dexports_till_checkout_checkout=till_decided_checkout
$(COMPONENT): | $(TOOL)/.installed
	$(TILL) plugin bindings --lang c --kind $(KIND) --out build/bindings
	$(CC_WASM) -Os -w -c build/bindings/till.c -o build/bindings.o
	for part in kit $(KIND); do \
		$(CC_WASM) $(CFLAGS) -c $(KIT)/till_$$part.c -o build/till_$$part.o || exit 1; \
	done
	$(CC_WASM) $(CFLAGS) $(DECIDED) $(LDFLAGS) $(filter %.c,$(SOURCES)) build/till_kit.o build/till_$(KIND).o \
		build/bindings.o build/bindings/till_component_type.o -o build/core.wasm
	$(TILL) plugin pack build/core.wasm --kind $(KIND) --name $(NAME) --version $(VERSION) --lang C --out $@
