# One chore list, used by people and CI alike.  `make` prints it; every target works from a clean clone.
SHELL := /bin/bash
PY := .venv/bin/python
UV := $(shell command -v uv 2>/dev/null || echo .cache/tools/bin/uv)
# The distribution's Python is built with optimisations; one that a version manager compiled often is not, and is a
# quarter slower.
PYTHON ?= $(or $(lastword $(sort $(wildcard /usr/bin/python3.1[1-9]))),>=3.11)
N ?= auto

.DEFAULT_GOAL := help
.PHONY: help setup system check fix demo test quick unit cluster control-plane planes planes-stop chaos bench bench-gates lock audit changelog ci clean record contract-diff

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

setup: .venv/.complete ## the environment from the lock, in .venv
.venv/.complete: requirements/dev.txt pyproject.toml
	@command -v uv >/dev/null || [ -x .cache/tools/bin/uv ] || { python3 -m venv .cache/tools && .cache/tools/bin/pip install --quiet uv; }
	@[ -x .venv/bin/python ] || $(UV) venv --quiet --python '$(PYTHON)' .venv
	$(UV) pip sync --quiet --require-hashes --python .venv requirements/dev.txt
	$(UV) pip install --quiet --no-deps --no-build-isolation --python .venv --editable .
	@touch $@

system: ## Debian packages of the full run (installs as root, else prints them)
	@bash tests/tools/system.sh

check: setup ## linters, types, import rules, locks, fragments
	.venv/bin/ruff check .
	.venv/bin/ruff format --check --quiet .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/deptry appdelivery
	$(PY) tests/tools/generated.py --check

fix: setup ## format and mend what can be mended
	.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format .
	$(PY) tests/tools/generated.py

demo: setup ## the main job on a simulated cluster: deliver, change, break, roll back, delete
	@.venv/bin/appctl demo

test: ## everything that can run here; what cannot is named with the way to get it
	@bash tests/run.sh

quick: setup ## the inner loop: unit, golden, property (K=expr N=workers)
	$(PY) -m pytest -q -n $(N) -m "not cluster and not postgres and not binaries and not slow and not chaos" $(if $(K),-k "$(K)")

cluster: setup ## tests on the real control plane (K=expr)
	$(PY) -m pytest -q -n 2 -m cluster $(if $(K),-k "$(K)")

control-plane: ## build etcd, the Kubernetes servers and kwok into the cache
	@bash tests/controlplane/build.sh

planes: setup control-plane ## start a control plane for work by hand and print its kubeconfig
	@$(PY) tests/planes.py up

planes-stop: setup ## stop it
	@$(PY) tests/planes.py down

record: setup control-plane ## record schemas and answers of a real API server, for the sandbox and its tests
	$(PY) tests/tools/record.py east

contract-diff: setup control-plane ## the same random writes to a real server and to the sandbox (SECONDS=n SEED=n)
	$(PY) tests/contract/differential.py --seconds $(or $(SECONDS),120) $(if $(SEED),--seed $(SEED))

chaos: setup ## kill -9 at random points on the real plane (KILLS=n)
	APPCTL_TEST_KILLS=$(or $(KILLS),30) $(PY) -m pytest -q -m chaos

bench: setup ## benchmarks side by side with helm, kubectl and a raw client; writes benchmarks/results.json
	$(PY) benchmarks/run.py
	$(PY) benchmarks/readme_table.py

bench-gates: setup ## the same, failing outside the "must" column
	$(PY) benchmarks/run.py --gates

lock: ## resolve again (UPGRADE=name raises one package)
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --all-extras pyproject.toml -o requirements/base.txt $(if $(UPGRADE),--upgrade-package $(UPGRADE))
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --all-extras --group dev pyproject.toml -c requirements/base.txt -o requirements/dev.txt $(if $(UPGRADE),--upgrade-package $(UPGRADE))

audit: setup ## known advisories of our dependencies
	$(UV) tool run pip-audit --requirement requirements/base.txt --require-hashes

changelog: setup ## fold the fragments into CHANGELOG.md (VERSION=x.y.z)
	.venv/bin/towncrier build --yes --version $(VERSION)

ci: ## what CI runs
	bash .ci/run

clean: ## build output, not caches
	rm -rf dist junit .mypy_cache .ruff_cache .pytest_cache .hypothesis
