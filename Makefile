# Everything sets itself up: Python 3.10 or newer and make are all that is needed.
#   make demo                    an embedded Label Studio with tasks of a traced LangChain application, labeled, and what comes of it
#   make demo DEMO_ARGS=--once   the same, ending when all is written; with --label you label its tasks yourself
#   make test                    all tests, in two processes; TEST_ARGS are pytest's instead
#   make lint                    style, types, architecture
#   make docs                    the documentation's site, in build/docs/html (Python 3.11 or newer)

PYTHON ?= python3
VENV ?= .venv
# Two processes, each with files of its own: the tests wait for servers most of the time
TEST_ARGS ?= --numprocesses=2 --dist=loadfile
BIN := $(VENV)/bin

.PHONY: demo test lint docs format clean

demo: $(VENV)/installed
	$(BIN)/otel-labelstudio demo $(DEMO_ARGS)

test: $(VENV)/installed
	$(BIN)/pytest $(TEST_ARGS)

lint: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/installed-docs
	$(BIN)/python docs/site/build.py

format: $(VENV)/installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --constraint constraints.txt --group dev --editable '.[demo,receiver,report,zero-code]'
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --group docs
	touch $@

clean:
	rm -rf $(VENV) .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
