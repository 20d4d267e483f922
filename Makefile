# Two commands for a fresh machine: `make quickstart` and `make test`. Each makes what it needs in .venv.
PYTHON  ?= python3
SLOW    ?= 0
# Training time of the quickstart, and where it writes.
SECONDS ?= 240
FOLDER  ?= quickstart

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help quickstart test check static docs format setup clean

help:                               ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' Makefile

quickstart: $(VENV)/.run            ## train a model on this machine's Python library, then let it write
	$(BIN)/stretto quickstart --seconds $(SECONDS) --folder $(FOLDER)

test: $(VENV)/.dev                  ## the tests; SLOW=1 for all of them
	SLOW=$(SLOW) $(BIN)/python -m pytest

check: static                       ## static checks, and the tests of the rooms that changed
	$(BIN)/python -m pytest -x $$($(BIN)/python .ci/changed.py)

static: $(VENV)/.dev                ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/basedpyright

docs: $(VENV)/.dev                  ## run every runnable block of the documentation
	$(BIN)/python .ci/docs.py

format: $(VENV)/.dev                ## put the source in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(VENV)/.dev                 ## make the environment for development

clean:                              ## remove what was made
	rm -rf $(VENV) build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Stretto needs Python 3.11 or newer, and this is %d.%d: try make PYTHON=python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.run
