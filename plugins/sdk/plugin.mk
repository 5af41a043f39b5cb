# Builds a plugin in Rust: build/NAME.wasm of the crate beside the Makefile. Needs cargo and till.

KIT ?= kits/rust
KITS ?= $(KIT)/..
TOOLCHAIN := rust
PROFILE ?= release
CRATE ?= $(NAME)
VERSION ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
CARGO_FLAGS ?=
TARGET_FOLDER ?= build/target
PINS := $(KIT)/Cargo.toml
SOURCES := Cargo.toml $(wildcard Cargo.lock) $(shell find src -name '*.rs')
include $(KITS)/component.mk

TARGET := wasm32-wasip2
MODULE := $(TARGET_FOLDER)/$(TARGET)/$(PROFILE)/$(subst -,_,$(CRATE)).wasm

$(COMPONENT):
	$(call needs,cargo,install Rust: https://rustup.rs)
	[ -d "$$(rustc --print sysroot)/lib/rustlib/$(TARGET)" ] || rustup target add $(TARGET)
	MAKEFLAGS= cargo build $(CARGO_FLAGS) --target $(TARGET) --profile $(PROFILE) --target-dir $(TARGET_FOLDER)
	$(TILL) plugin pack $(MODULE) --kind $(KIND) --name $(NAME) --version $(VERSION) --out $@
