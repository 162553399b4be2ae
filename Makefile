# The doors of the project. Each target makes the virtual environment it needs.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest
JOBS ?= 3
MINUTES ?= 10

.PHONY: help demo test fast crash crash-full soak interop ecosystem neighbours packages lint types docs bench clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(VENV)/.demo ## the guided tour: a private server, a worker, jobs
	$(BIN)/rq demo

test: lint types neighbours packages ## lint, types, then every test
	@# Crash tests hold the product to seconds; what missed them while others used the cores gets one quiet try.
	$(PYTEST) -n $(JOBS) --dist worksteal || $(PYTEST) --last-failed --last-failed-no-failures=none

fast: $(VENV)/.dev ## the pure tests and the house laws: seconds, no server
	$(PYTEST) tests/rules tests/house

crash: $(VENV)/.dev ## real processes and servers, killed, frozen, cut off: each fault once, with short leases
	$(PYTEST) tests/crash -n $(JOBS) --dist worksteal

crash-full: $(VENV)/.dev ## the same with the defaults and in full size
	RQ_CRASH_FULL=1 $(PYTEST) tests/crash -n $(JOBS) --dist worksteal

soak: $(VENV)/.dev ## four workers in a storm of random faults: MINUTES=10 SEED=7 OUT=path REAL=1 (default leases) MIXED=1 (every executor)
	$(BIN)/python -m tests.crash.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(OUT),--out $(OUT)) $(if $(REAL),--real) $(if $(MIXED),--mixed)

interop: neighbours ## RQ 3.0 and this on one server: Redis 7 and Valkey 9, both ways
	$(PYTEST) tests/interop -n $(JOBS) --dist worksteal

ecosystem: packages ## dashboards, tracers and frameworks from PyPI, each at work on this
	$(PYTEST) tests/ecosystem -n $(JOBS)

lint: $(VENV)/.dev ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

docs: $(VENV)/.dev ## run every example of README and docs
	$(PYTEST) tests/docs

bench: $(VENV)/.dev ## ours beside other queues, half an hour: SUITES=reused,io PEERS=ours,rq,huey REPS=1 for a part
	$(BIN)/python bench/run.py $(if $(SUITES),--suites $(SUITES)) $(if $(PEERS),--peers $(PEERS)) $(if $(REPS),--reps $(REPS))

clean: ## remove the virtual environments and every cache
	rm -rf $(VENV) .interop .ecosystem .bench .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build

# The environment. The stamps make pip run again only when what it read has changed.
$(VENV)/.python:
	@command -v $(PYTHON) >/dev/null || { echo "make: no '$(PYTHON)' here; install Python 3.11 or newer, or say PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: '$(PYTHON)' is older than Python 3.11; say PYTHON=/path/to/a/newer/python3" >&2; exit 1; }
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	    if ! $(PYTHON) -c 'import ensurepip' 2>/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        echo "make: Python has no ensurepip; installing python3-venv with apt-get"; \
	        { apt-get -qq update; apt-get -qq install -y --no-install-recommends python3-venv; } >/dev/null; \
	    fi; \
	    $(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "make: Python has no ensurepip; install it first: sudo apt-get install python3-venv" >&2; exit 1; }; \
	    $(PYTHON) -m venv --clear $(VENV) || exit 1; \
	fi
	@touch $@

# What tests/interop needs beside us: RQ 3.0 in an environment of its own, and Debian's Redis (installed, not started).
neighbours: $(VENV)/.dev
	@if ! command -v redis-server >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "make: no redis-server here; installing it with apt-get"; \
	    { apt-get -qq update; RUNLEVEL=1 apt-get -qq install -y --no-install-recommends redis-server; } >/dev/null; \
	fi
	@if ! ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "make: no libfaketime here; installing it with apt-get"; \
	    { apt-get -qq update; apt-get -qq install -y --no-install-recommends libfaketime; } >/dev/null; \
	fi
	@$(BIN)/python tests/interop/environment.py

# What tests/ecosystem needs beside us: environments of real packages that use RQ, with this project in its place.
packages: $(VENV)/.dev
	@$(BIN)/python tests/ecosystem/environment.py

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/.python
	$(PIP) install -e '.[demo]' -c constraints.txt
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.python
	$(PIP) install -e '.[dev]' -c constraints.txt
	@touch $@ $(VENV)/.demo
