# Five commands; each can be typed by hand as well.
PYTHON ?= python3
VENV ?= .venv
export OMP_NUM_THREADS ?= 1

.PHONY: install lint test docs ci

install:
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -e ".[test,docs]"

lint:
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

test:
	$(VENV)/bin/pytest -n auto

docs:
	$(VENV)/bin/mkdocs build --strict

ci:
	.ci/run
