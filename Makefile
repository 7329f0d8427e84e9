# Two commands: `make lab` to try it, `make test` to check it. `make help` lists the others.

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
SHELL := /bin/bash

# Parallel parts print whole, one after the other, where make can do so.
PARALLEL := $(MAKE) --no-print-directory --keep-going -j2 \
	$(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

FRONTEND := $(shell find src style schema -type f -not -path '*/__tests__/*' 2>/dev/null)
ROOT_FLAG := $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help install build lab test test-py test-ts test-browser soak \
	lint lint-py lint-ts types check-types oldest format clean \
	browser-token browser-kubeflow browser-oldest

help:
	@echo "make lab           install everything and open JupyterLab on the example notebook"
	@echo "make test          install everything and run every test (10 minutes at most)"
	@echo "make soak          the long loops: kills, conformance, stress"
	@echo
	@echo "make build         rebuild the lab extension"
	@echo "make test-py       Python tests       (pytest tests/… for some of them)"
	@echo "make test-ts       TypeScript tests   (jlpm test -t NAME for some of them)"
	@echo "make test-browser  a real lab in a real browser, three times"
	@echo "make lint          every linter and type checker"
	@echo "make format        let the formatters write"
	@echo "make types         write src/api/types.ts again after a change of models/"
	@echo "make clean         delete what was built; $(VENV) stays"

# --- installing --------------------------------------------------------------------------------

$(VENV)/bin/python:
	@$(PYTHON) scripts/environment.py $(VENV)

$(VENV)/.installed: pyproject.toml package.json yarn.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test,examples]"
	$(BIN)/jupyter-builder develop . --overwrite
	@touch $@

# Only a change of the front end itself builds it again.
$(VENV)/.built: $(FRONTEND) | $(VENV)/.installed
	$(BIN)/jlpm build
	@touch $@

install: $(VENV)/.installed

build: $(VENV)/.built

# --- trying ------------------------------------------------------------------------------------

lab: build
	$(BIN)/jupyter lab $(ROOT_FLAG) --ServerApp.root_dir=examples \
		--LabApp.default_url=/lab/tree/digits.ipynb

# --- testing -----------------------------------------------------------------------------------

# Every part runs, whatever became of the one before; the exit code tells of all.
test: build
	@failed=0; \
	$(PARALLEL) lint-py lint-ts check-types test-ts || failed=1; \
	$(PARALLEL) test-py oldest || failed=1; \
	$(MAKE) --no-print-directory test-browser || failed=1; \
	exit $$failed

test-py: install
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-ts: install
	$(BIN)/jlpm test

test-browser: build
	@$(MAKE) --no-print-directory --keep-going browser-token browser-kubeflow browser-oldest

browser-token browser-kubeflow browser-oldest: browser-%: build
	$(BIN)/python -m pytest tests/browser -m "browser and not soak" --lab=$*

# The wheel, and an environment of the oldest Python and JupyterLab with nothing but that wheel.
oldest: build
	$(BIN)/python -m tests.packaging.oldest

soak: build
	$(BIN)/python -m pytest -m soak

# --- checking ----------------------------------------------------------------------------------

lint: lint-py lint-ts check-types

lint-py: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lint-ts: install
	$(BIN)/jlpm lint:check
	$(BIN)/jlpm typecheck

types: install
	$(BIN)/node scripts/types.mjs

check-types: install
	$(BIN)/node scripts/types.mjs --check

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/jlpm lint

clean:
	rm -rf lib build dist coverage test-results .cache tsconfig.tsbuildinfo
	rm -rf jupyterlab_pipelines/labextension $(VENV)/.built
