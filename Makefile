# `make` lists the targets.

TOOLS := host/tests/.tools
VENV := $(TOOLS)/venv
PACKAGES := prometheus wrk

.DEFAULT_GOAL := help
.PHONY: help run test lint bench doc clean-tools packages

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## serves the demo's shop at http://127.0.0.1:8000
	cargo run --release --locked

test: packages $(VENV)/.installed ## runs all tests; installs what they need besides Rust
	cargo test --locked --package till --tests

lint: $(TOOLS)/bin/cargo-deny ## checks format, clippy's lints, the dependencies and the documentation
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(TOOLS)/bin/cargo-deny --locked check bans licenses sources
	RUSTDOCFLAGS='-D warnings' $(MAKE) --no-print-directory doc

bench: packages ## measures calls and load
	cargo bench --locked --package till

doc: ## builds the documentation of the code
	cargo doc --locked --no-deps --package till --package till-sdk

clean-tools: ## removes what test and lint have installed
	rm -rf $(TOOLS)

# An independent OTLP receiver. Installed anew when its versions change.
$(VENV)/.installed: host/tests/requirements.txt
	rm -rf $(VENV)
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

$(TOOLS)/bin/cargo-deny:
	cargo install --locked cargo-deny --version 0.20.2 --root $(TOOLS)

packages:
	@missing=$$(for package in $(PACKAGES); do dpkg -s $$package >/dev/null 2>&1 || echo $$package; done); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then apt-get update && apt-get install -y $$missing; \
	else echo "missing Debian packages; install them with: sudo apt-get install" $$missing >&2; exit 1; fi
