# The doors of the project. Each target makes the virtual environment it needs.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest
JOBS ?= 2

.PHONY: help demo test fast crash lint types docs bench clean

help: ## print this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.demo ## the guided tour: a private server, a worker, jobs
	$(BIN)/rq demo

test: lint types ## lint, types, then every test
	$(PYTEST) -n $(JOBS)

fast: $(VENV)/.dev ## the pure tests and the house laws: seconds, no server
	$(PYTEST) tests/rules tests/house

crash: $(VENV)/.dev ## real processes, killed and frozen, in full size
	RQ_CRASH_FULL=1 $(PYTEST) tests/crash -n $(JOBS)

lint: $(VENV)/.dev ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

docs: $(VENV)/.dev ## run every example of README and docs
	$(PYTEST) tests/docs

bench: $(VENV)/.dev ## measure; the figures go to bench/results
	$(BIN)/python bench/run.py

clean: ## remove the virtual environment and every cache
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build

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

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/.python
	$(PIP) install -e '.[demo]' -c constraints.txt
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.python
	$(PIP) install -e '.[dev]' -c constraints.txt
	@touch $@ $(VENV)/.demo
