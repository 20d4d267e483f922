# Two commands for a fresh machine: `make quickstart` and `make test`. Each makes what it needs in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
SLOW   ?= 0

.PHONY: quickstart test check static docs format clean

quickstart: $(VENV)/.run            ## train a model on this machine's Python library, then let it write
	$(BIN)/stretto quickstart

test: $(VENV)/.dev                  ## the tests; SLOW=1 for all of them
	SLOW=$(SLOW) $(BIN)/pytest

check: $(VENV)/.dev static          ## static checks and the quick tests of the rooms that changed
	$(BIN)/python .ci/changed.py | xargs $(BIN)/pytest -x

static: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/basedpyright

docs: $(VENV)/.dev                  ## run every runnable block of the docs
	$(BIN)/python .ci/docs.py

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Stretto needs Python 3.11 or newer; this is %s. Set PYTHON=..." % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[dev]'
	touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) build dist
