# How the kits of C, C++ and Zig compile C: with the Clang and the libc of ziglang.

# What Zig compiles of a libc is kept beside it.
export ZIG_GLOBAL_CACHE_DIR := $(TOOL)/cache

# The interface's track: a checkout and an inventory are of 0.1, the hooks of 0.2.
TRACK := $(if $(filter checkout inventory,$(KIND)),,-DTILL_0_2)

CC_WASM = $(TOOL)/bin/python-zig cc -target wasm32-wasi -I build/bindings -I $(C_KIT) $(TRACK)
# A fraction that is cut, and a number that loses its upper half, are seldom meant where money is counted.
WARNINGS := -Wall -Wextra -Wfloat-conversion -Wshorten-64-to-32 -Werror
CFLAGS ?= -std=gnu17 -D_GNU_SOURCE -Os $(WARNINGS)
# What isn't asked for here is a stack of 16 MiB, which every instance would begin with.
LDFLAGS := -mexec-model=reactor -Wl,--strip-all -Wl,-z,stack-size=131072
