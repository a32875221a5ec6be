# The only entry, for people and for CI. `make help` lists what there is.

SHELL := /bin/sh
CACHE ?= $(HOME)/.cache/mxcp
export CARGO_TARGET_DIR ?= $(CACHE)/target
export DUCKDB_LIB_DIR ?= $(CACHE)/duckdb-2.0.0-r1
export MXCP_TEST_SDKS ?= $(CACHE)/sdks
export MXCP_TEST_BROWSER ?= $(CACHE)/browser

QUICKSTART := config-examples/quickstart
PORT ?= 8000

.DEFAULT_GOAL := help
.PHONY: help run build release install fmt fmt-check lint test test-fast fuzz crash-test doc deny bench ci

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(DUCKDB_LIB_DIR)/libduckdb.so:
	@scripts/duckdb-lib $(DUCKDB_LIB_DIR)

run: build ## Build, and serve the quickstart at http://localhost:8000
	@test -e $(QUICKSTART)/data/db-default.duckdb || \
	  (cd $(QUICKSTART) && MXCP_CONFIG=config.yml $(CARGO_TARGET_DIR)/debug/mxcp query --file sql/data.sql >/dev/null)
	@echo "Sign in as ada (password analytical-engine, an admin) or ben (password lightning-rod, an analyst)."
	@cd $(QUICKSTART) && MXCP_CONFIG=config.yml exec $(CARGO_TARGET_DIR)/debug/mxcp serve --port $(PORT)

build: $(DUCKDB_LIB_DIR)/libduckdb.so ## Build for development
	@cargo build --locked --bin mxcp

release: $(DUCKDB_LIB_DIR)/libduckdb.so ## Build for use
	@cargo build --locked --release --bin mxcp

PREFIX ?= /usr/local
install: release ## Install the program and the database library under PREFIX
	@install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/mxcp
	@install -m 755 $(CARGO_TARGET_DIR)/release/mxcp $(DESTDIR)$(PREFIX)/bin/mxcp
	@install -m 755 $(DUCKDB_LIB_DIR)/*.so $(DESTDIR)$(PREFIX)/lib/mxcp/

fmt: ## Format the code
	@cargo fmt --all

fmt-check:
	@cargo fmt --all --check

lint: $(DUCKDB_LIB_DIR)/libduckdb.so ## Check formatting and lints
	@cargo fmt --all --check
	@cargo clippy --locked --workspace --all-targets -- -D warnings

test-fast: ## Test the actors alone: seconds, no database
	@cargo test --locked -p mxcp-actors

test: $(DUCKDB_LIB_DIR)/libduckdb.so ## Test everything, with real clients and a real browser
	@scripts/sdk-clients $(MXCP_TEST_SDKS)
	@scripts/browser $(MXCP_TEST_BROWSER)
	@cargo test --locked --workspace

doc: $(DUCKDB_LIB_DIR)/libduckdb.so ## Build the documentation of the code
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

deny: ## Check licences and sources of dependencies (needs cargo-deny)
	@cargo deny --offline check bans licenses sources

FUZZ_SECONDS ?= 300
fuzz: ## Judge made-up conditions on made-up data for FUZZ_SECONDS; CI makes a short round of it
	@MXCP_FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test --locked -p mxcp-actors expression::fuzz -- --nocapture

ROUNDS ?= 300
crash-test: $(DUCKDB_LIB_DIR)/libduckdb.so ## Kill the daemon at random moments under load, ROUNDS times
	@MXCP_CRASH_ROUNDS=$(ROUNDS) cargo test --locked --test it crash::

bench: $(DUCKDB_LIB_DIR)/libduckdb.so ## Measure the daemon against its aims
	@cargo bench --locked --bench daemon

ci: lint test doc ## What CI runs
