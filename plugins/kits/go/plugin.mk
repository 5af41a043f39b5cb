# Builds a plugin in Go: build/NAME.wasm of the package beside the Makefile. Needs python3 and till.

KIT ?= kits/go
KITS ?= $(KIT)/..
TOOLCHAIN := go
PINS := $(KIT)/requirements.txt
SOURCES := go.mod $(wildcard *.go */*.go */*/*.go)
include $(KITS)/component.mk
include $(KITS)/venv.mk

GO = GOOS=wasip1 GOARCH=wasm GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=mod GOWORK=off $(TOOL)/bin/go

# The interface's track: a checkout and an inventory are of 0.1, the hooks of 0.2.
TAGS := $(if $(filter checkout inventory,$(KIND)),,till_0_2)

$(COMPONENT): | $(TOOL)/.installed
	$(TILL) plugin bindings --lang go --kind $(KIND) --out build/bindings
	$(GO) build -tags=$(TAGS) -trimpath -buildmode=c-shared -ldflags='-s -w' -o build/core.wasm .
	$(TILL) plugin pack build/core.wasm --kind $(KIND) --name $(NAME) --version $(VERSION) --lang Go --out $@
