# Two commands: `make chat` and `make test`. Everything they install lies in .venv, the index in index/.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
TORCH := 2.13.0

.PHONY: chat test lint gate check clean python
.DELETE_ON_ERROR:

chat: $(VENV)/.chat ## build the index, start the chat page and POST /ask
	-@$(BIN)/chipdesk build
	@$(BIN)/chipdesk serve

test: $(VENV)/.test ## run all tests
	$(BIN)/pytest

lint: $(VENV)/.test ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gate: $(VENV)/.test ## ask the dev and test questions; fails below tests/qa/floors.json
	@$(BIN)/chipdesk build
	$(BIN)/chipdesk eval --gate

check: test lint gate ## what .ci/run does

clean: ## remove what was installed and built
	rm -rf $(VENV) index/build-* index/manifest.json index/vectors.db* .pytest_cache .mypy_cache .ruff_cache

$(VENV)/.chat: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV) (about 2 GB; a few minutes) ..."
	@# torch's CPU build where the installer can get it: the other one brings several GB of CUDA
	@$(PIP) install 'torch==$(TORCH)+cpu' 2>/dev/null || $(PIP) install 'torch==$(TORCH)'
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.chat
	@$(PIP) install --constraint constraints.txt --editable '.[test]'
	@touch $@

$(BIN)/python: | python
	@$(PYTHON) -m venv $(VENV)

python:
	@command -v $(PYTHON) >/dev/null || { echo "Chipdesk needs Python 3.11 or newer and finds no '$(PYTHON)'; install it, or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Chipdesk needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Name a newer one: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
