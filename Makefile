# govpool: `make` lists what there is. Everything below needs only Debian 12 (root the first time) and this folder.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest
WORKERS ?= 2
TESTS ?= tests
# Tests of one file share machines and networks: one worker runs them all, and files go in their order.
SPREAD := --dist loadfile --no-loadscope-reorder
POOL ?= local
# On OpenStack: a control plane of the test bed, unless OS_CLOUD names a cloud or there is no bed.
BED := $(if $(OS_CLOUD),,$(wildcard tests/openstack/bed/__main__.py))
BED_DEMO := $(BIN)/python -m tests.openstack.bed run -- $(BIN)/python -m tests.openstack.demo
DEMO := $(if $(and $(filter openstack,$(POOL)),$(BED)),$(BED_DEMO),$(BIN)/govpool demo --pool $(POOL))
# Why `make test` leaves out the tests on OpenStack; empty: it does not, where the bed is installed.
SKIP_BED := $(if $(filter 1,$(SKIP_OPENSTACK)),SKIP_OPENSTACK=1,$(if $(filter-out tests,$(TESTS)),TESTS=$(TESTS),$(if \
  $(OS_CLOUD),OS_CLOUD names a cloud of yours: make test-openstack runs them there)))
NO_BED := the test bed is not installed, which takes minutes: make test-openstack installs it, then make test includes it
ON_BED := $(BIN)/python -m tests.openstack.bed run -- $(BIN)/python -m tests.openstack.suite $(ARGS)

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## Install what is missing: Debian packages, then .venv from requirements.lock

$(READY): requirements.lock pyproject.toml debian-packages.txt tools/bootstrap.sh
	@tools/bootstrap.sh $(VENV)

.PHONY: demo
demo: $(READY) ## Take an application through its whole life, from annex 1 to the wipe certificate (POOL=openstack)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(DEMO) $(ARGS)

.PHONY: test
test: $(READY) lint ## Lint, then every test but the benchmarks (TESTS=tests/unit narrows it; SKIP_OPENSTACK=1 leaves the bed out)
	@bed='$(SKIP_BED)'; [ -n "$$bed" ] || $(BIN)/python -m tests.openstack.bed installed || bed='$(NO_BED)'; \
	[ -z "$$bed" ] || echo "Skipped: tests/openstack, a pool on a real OpenStack ($$bed)"; \
	PATH="$(CURDIR)/$(BIN):$$PATH" $(PYTEST) $(TESTS) --ignore=tests/bench -n $(WORKERS) $(SPREAD) $(ARGS); \
	[ -n "$$bed" ] || PATH="$(CURDIR)/$(BIN):$$PATH" $(ON_BED)

.PHONY: test-openstack
test-openstack: $(READY) ## The provider's tests on a real OpenStack: the bed's, or the one that OS_CLOUD names
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(ON_BED)

.PHONY: test-cluster
test-cluster: $(READY) ## Charts, roles, policies and the whole life on the API server of KUBECONFIG; it is filled and emptied
	@test -n "$${KUBECONFIG:-}" || { echo 'Set KUBECONFIG to an API server (1.30 or newer) that may be filled and emptied.' >&2; exit 2; }
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(PYTEST) tests/cluster tests/conformance tests/functional/admission \
	    tests/functional/badinput -m cluster $(ARGS)

.PHONY: test-all
test-all: ## `make test`, then `make test-openstack`, for which the test bed is installed when it is missing
	@$(MAKE) --no-print-directory test SKIP_OPENSTACK=1
	@$(MAKE) --no-print-directory test-openstack

.PHONY: lint
lint: $(READY) ## ruff, mypy --strict, import contracts, drift of the CRDs and of docs/regulations.md
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo 'Not formatted: run `$(BIN)/ruff format .`' >&2; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m govpool.effects.crds --check crds
	@$(BIN)/python tools/regulations.py --check

.PHONY: crds
crds: $(READY) ## Write crds/ from the models
	@$(BIN)/python -m govpool.effects.crds crds

.PHONY: docs
docs: $(READY) ## Write docs/regulations.md from the register of clauses (policies/register), and the charts' pages
	@$(BIN)/python tools/regulations.py
	@$(BIN)/python tools/chart_docs.py

.PHONY: where
where: $(READY) ## Say what carries a clause out: make where ARTICLE='YY-19(2)'
	@$(BIN)/govpool policy where '$(ARTICLE)'

.PHONY: bench
bench: $(READY) ## Measure what the performance figures in the documents rest on
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.bench $(ARGS)

.PHONY: demo-output
demo-output: $(READY) ## Run the demo and put what it printed into README.md and README.zh-CN.md
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/readme_demo.py $(LANGUAGES) $(ARGS)

.PHONY: lock
lock: $(READY) ## Resolve pyproject.toml into requirements.lock: versions and hashes, no address of a registry
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' --quiet -o requirements.lock

.PHONY: clean
clean: ## Remove .venv, caches and build products; leaves pools and their data alone
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
