# Every command of the project. `make` alone prints this list.
#
# Nothing is done twice: stamps in .venv/.stamps say what is up to date. VERBOSE=1 shows the output of the package clients.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PYTEST_ARGS ?=
FUZZ_SECONDS ?= 60
QUIET := $(if $(VERBOSE),,-q)
PACKAGES := sipproxy routing registrar_watch rules_store portal
PYTHON_SOURCES := .

# Cargo is often installed for one user and missing from a shell's PATH.
export PATH := $(PATH):$(HOME)/.cargo/bin
export CARGO_TERM_PROGRESS_WHEN := never
CARGO := cargo
RUST_INPUTS := $(shell find engine \( -name target -o -name corpus -o -name artifacts \) -prune -o \
	\( -name '*.rs' -o -name 'Cargo.toml' -o -name 'Cargo.lock' \) -print)

AS_ROOT := $(if $(filter-out 0,$(shell id -u)),sudo --preserve-env=PATH)

say = @printf '\033[1m== %s\033[0m\n' "$(1)"

.PHONY: help setup demo test test-rust test-python test-root fault-lab fault-smoke lint lint-python lint-rust format bench fuzz-smoke build lock clean

help: ## Print this list
	@awk 'BEGIN {FS = ":.*## "; print "Usage: make TARGET\n"} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- set-up -----------------------------------------------------------------------------------------------------------------

setup: $(STAMPS)/debian-test $(STAMPS)/dev $(STAMPS)/engine ## Install everything: Debian packages (root or sudo), .venv, the engine
	@printf 'Ready. "make demo" shows the main job, "make test" proves it.\n'

# Debian packages. The demo needs a C linker and venv; the tests need SIP tools and servers as well.
$(STAMPS)/debian-base: tools/debian.sh
	@tools/debian.sh base
	@mkdir -p $(@D) && touch $@

$(STAMPS)/debian-test: tools/debian.sh | $(STAMPS)/debian-base
	@tools/debian.sh base test
	@mkdir -p $(@D) && touch $@

$(STAMPS)/rust: tools/rust.sh engine/Cargo.toml
	@tools/rust.sh
	@mkdir -p $(@D) && touch $@

$(STAMPS)/venv: | $(STAMPS)/debian-base
	$(call say,Python environment in $(VENV))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or newer is needed: set PYTHON=/path/to/python3.11'; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(@D) && touch $@

$(STAMPS)/runtime: requirements.lock $(STAMPS)/venv
	$(call say,Python packages the service needs (under a minute))
	@$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(STAMPS)/dev: requirements-dev.lock $(STAMPS)/runtime
	$(call say,Python packages for tests and checks (about a minute))
	@$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(STAMPS)/engine: $(RUST_INPUTS) pyproject.toml $(STAMPS)/rust $(STAMPS)/runtime
	$(call say,Building the engine for release (two to five minutes the first time))
	@PIP_QUIET=1 $(BIN)/maturin develop --release --locked --manifest-path engine/binding/Cargo.toml
	@touch $@

build: $(STAMPS)/engine ## Build the wheel into dist/ and check what is in it
	$(call say,Building the wheel)
	@rm -rf dist && $(BIN)/maturin build --release --locked --out dist --interpreter $(BIN)/python --manifest-path engine/binding/Cargo.toml
	@$(BIN)/python tools/check_wheel.py dist/*.whl

# ---- main job ---------------------------------------------------------------------------------------------------------------

demo: $(STAMPS)/engine ## Show the main job: a healthy call, an outage, diverted calls, the line's return
	@$(BIN)/sipproxy demo $(DEMO_ARGS)

bench: $(STAMPS)/engine $(STAMPS)/dev ## Compare the redirect path with Kamailio's (a few minutes)
	@tools/debian.sh --check test
	@$(BIN)/python -m benchmarks run redirect $(BENCH_ARGS)

# ---- tests ------------------------------------------------------------------------------------------------------------------

test: test-rust test-python ## Run all tests that need no root

test-rust: $(STAMPS)/rust
	$(call say,Tests of the engine (debug build: some minutes the first time))
	@if cargo nextest --version >/dev/null 2>&1; \
	then cd engine && $(CARGO) nextest run --workspace --locked --no-tests=pass --status-level fail; \
	else cd engine && $(CARGO) test --workspace --locked --quiet --all-targets; fi
	@cd engine && $(CARGO) test --workspace --locked --quiet --doc
	$(call say,Tests of the load generator)
	@cd benchmarks/loadgen && $(CARGO) test --locked --quiet
	$(call say,Tests of the impairment box)
	@cd tests/faults/laboratory/box && $(CARGO) test --locked --quiet

# Tests whose Debian programs are missing are skipped by name; with CI=true that is a failure (tests/harness/programs.py).
test-python: $(STAMPS)/dev $(STAMPS)/engine
	@tools/debian.sh --check test || echo 'The tests that need them are skipped this time.'
	$(call say,Tests of the packages and of the running service)
	@$(BIN)/python -m pytest -m 'not root' $(PYTEST_ARGS)

test-root: $(STAMPS)/dev $(STAMPS)/engine ## Run the tests that need root: network namespaces, port 5060
	@tools/debian.sh --check test
	$(call say,Tests in network namespaces)
	@$(AS_ROOT) $(BIN)/python -m pytest -m root tests/root $(PYTEST_ARGS)

# Root as above. LAB_ARGS: names of scenarios, --jobs, --quick, --keep; "python -m tests.faults.laboratory list" names them.
fault-lab: $(STAMPS)/dev $(STAMPS)/engine ## Break real lines under traffic, beside Kamailio; renew tests/faults/results (25 minutes, root)
	@tools/debian.sh --check test
	$(call say,Fault laboratory)
	@$(AS_ROOT) $(BIN)/python -m tests.faults.laboratory run $(LAB_ARGS)

fault-smoke: $(STAMPS)/dev $(STAMPS)/engine ## Six faults of the laboratory, ours only, against their limits (three minutes, root)
	@tools/debian.sh --check test
	$(call say,Fault laboratory: smoke set)
	@$(AS_ROOT) $(BIN)/python -m tests.faults.laboratory run --smoke --keep --systems sipproxy --margin 0.3 $(LAB_ARGS)

fuzz-smoke: $(STAMPS)/rust ## Fuzz each target for FUZZ_SECONDS (60) without a finding
	@tools/fuzz.sh $(FUZZ_SECONDS)

# ---- checks -----------------------------------------------------------------------------------------------------------------

lint: lint-python lint-rust ## Run every static check; warnings are errors

lint-python: $(STAMPS)/dev $(STAMPS)/engine
	$(call say,ruff)
	@$(BIN)/ruff check $(PYTHON_SOURCES)
	@$(BIN)/ruff format --check $(PYTHON_SOURCES)
	$(call say,mypy)
	@$(BIN)/mypy
	$(call say,import contracts)
	@$(BIN)/lint-imports --no-logo
	$(call say,stub against extension)
	@$(BIN)/python -m mypy.stubtest sipproxy._engine --allowlist tools/stubtest_allowlist.txt --ignore-unused-allowlist
	$(call say,cited RFC sections)
	@$(BIN)/python tools/check_citations.py

lint-rust: $(STAMPS)/rust
	$(call say,rustfmt)
	@cd engine && $(CARGO) fmt --all --check
	@cd engine/fuzz && $(CARGO) fmt --check
	@cd benchmarks/loadgen && $(CARGO) fmt --check
	@cd tests/faults/laboratory/box && $(CARGO) fmt --check
	$(call say,clippy)
	@cd engine && $(CARGO) clippy --workspace --all-targets --locked --quiet -- -D warnings
	@cd engine/fuzz && $(CARGO) clippy --locked --quiet -- -D warnings
	@cd benchmarks/loadgen && $(CARGO) clippy --all-targets --locked --quiet -- -D warnings
	@cd tests/faults/laboratory/box && $(CARGO) clippy --all-targets --locked --quiet -- -D warnings
	$(call say,cargo doc)
	@cd engine && RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --document-private-items --locked --quiet
	@if cargo deny --version >/dev/null 2>&1; then printf '== cargo deny\n'; cd engine && cargo deny --log-level error check; \
	else echo 'cargo-deny is not installed: licences and advisories are not checked (cargo install cargo-deny)'; fi

format: $(STAMPS)/dev $(STAMPS)/rust ## Format Python and Rust in place
	@$(BIN)/ruff check --fix --exit-zero $(QUIET) $(PYTHON_SOURCES)
	@$(BIN)/ruff format $(PYTHON_SOURCES)
	@cd engine && $(CARGO) fmt --all
	@cd engine/fuzz && $(CARGO) fmt

# ---- upkeep -----------------------------------------------------------------------------------------------------------------

LOCK := -m uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --upgrade -q
lock: $(STAMPS)/venv ## Renew the lock files of the Python packages
	@$(BIN)/python -m pip install $(QUIET) uv
	@$(BIN)/python $(LOCK) --extra build -o requirements.lock
	@$(BIN)/python $(LOCK) --extra build --extra test --extra lint -c requirements.lock -o requirements-dev.lock

clean: ## Remove the environment and everything built
	@rm -rf $(VENV) dist .tmp engine/target engine/fuzz/target benchmarks/loadgen/target tests/faults/laboratory/box/target sipproxy/_engine*.so
