# make demo       environment, local model, and the main job in a real kernel
# make test       everything, under 10 minutes
# make test-fast  an answer in a minute
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-fast model lint docs bench clean

demo: $(VENV)/.demo
	$(BIN)/aiex demo

test: $(VENV)/.test model
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

test-fast: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" $(PYTEST_ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/python -m mypy

docs: $(VENV)/.test model
	$(BIN)/python docs/generate.py
	$(BIN)/python notebooks/build.py
	$(BIN)/python tests/docs/pages.py

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

model: $(VENV)/.test
	$(BIN)/aiex models pull smollm2

# The sources are compiled here because an environment may forbid writing bytecode at import.
$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[local]"
	$(BIN)/python -m compileall -q aiex.py aiex_ipy
	touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	$(BIN)/python -m compileall -q aiex.py aiex_ipy
	touch $@ $(VENV)/.demo

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "aiex needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another with make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV) || { $(PYTHON) -m pip install --user --quiet virtualenv && $(PYTHON) -m virtualenv --quiet $(VENV); }

clean:
	rm -rf $(VENV) build dist
