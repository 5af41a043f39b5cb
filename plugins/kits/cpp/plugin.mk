# Builds a plugin in C++: build/NAME.wasm of all the C++ files beside the Makefile. Needs python3 and till.
#
# The kit is one over C's: the generated bindings, the host's functions and the arithmetic are compiled from ../c.

KIT ?= kits/cpp
KITS ?= $(KIT)/..
TOOLCHAIN := ziglang
C_KIT := $(KITS)/c
PINS := $(C_KIT)/requirements.txt
SOURCES := $(wildcard *.cpp *.hpp)
BASE := $(wildcard $(C_KIT)/till_kit.* $(C_KIT)/clang.mk)
include $(KITS)/component.mk
include $(KITS)/venv.mk
include $(C_KIT)/clang.mk

CXX_WASM = $(TOOL)/bin/python-zig c++ -target wasm32-wasi -I build/bindings -I $(KIT) -I $(C_KIT) $(TRACK)
# Without exceptions, libc++ ends the call where it would throw; hardened, also at an index past a container's end. ziglang has both the
# checks and what follows them switched off.
HARDENED := -U_LIBCPP_HARDENING_MODE -D_LIBCPP_HARDENING_MODE=_LIBCPP_HARDENING_MODE_FAST \
	-U_LIBCPP_ASSERTION_SEMANTIC_DEFAULT -D_LIBCPP_ASSERTION_SEMANTIC_DEFAULT=_LIBCPP_ASSERTION_SEMANTIC_ENFORCE
CXXFLAGS ?= -std=gnu++23 -fno-exceptions -fno-rtti -Os $(HARDENED) $(WARNINGS)

$(COMPONENT): | $(TOOL)/.installed
	$(TILL) plugin bindings --lang cpp --kind $(KIND) --out build/bindings
	$(CC_WASM) -Os -w -c build/bindings/till.c -o build/bindings.o
	$(CC_WASM) $(CFLAGS) -c $(C_KIT)/till_kit.c -o build/till_kit.o
	$(CXX_WASM) $(CXXFLAGS) $(LDFLAGS) $(filter %.cpp,$(SOURCES)) $(KIT)/till.cpp $(KIT)/till_$(KIND).cpp build/till_kit.o \
		build/bindings.o build/bindings/till_component_type.o -o build/core.wasm
	$(TILL) plugin pack build/core.wasm --kind $(KIND) --name $(NAME) --version $(VERSION) --lang C++ --out $@
