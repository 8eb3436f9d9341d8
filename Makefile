# make run   starts the router on http://127.0.0.1:8080 (PORT changes it)
# make test  runs the tests;  make check  runs linters, types and the import rule
# PYTHON is only used to make .venv; any of 3.11 to 3.13 does.
PYTHON ?= $(shell for v in python3 python3.13 python3.12 python3.11; do \
	command -v $$v >/dev/null && $$v -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo $$v; break; }; done)
PORT ?= 8080
BIN := .venv/bin
LOCKS := functions/requirements layers/inference/requirements requirements/local requirements/dev

.PHONY: run test test-all check format lock bench clean

run: .venv/local
	@PORT=$(PORT) $(BIN)/turnout serve

test: .venv/dev
	$(BIN)/python -m pytest -m "not slow and not sam_local"

test-all: .venv/dev
	$(BIN)/python -m pytest

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Needs uv. One resolution serves all: the smaller sets are cut out of the largest.
lock:
	for set in requirements/dev requirements/local functions/requirements layers/inference/requirements; do \
		constraint=; [ $$set = requirements/dev ] || constraint="--constraint requirements/dev.txt"; \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
			--no-emit-index-url --no-emit-find-links $$constraint $$set.in --output-file $$set.txt || exit; \
	done

clean:
	rm -rf .venv .turnout .aws-sam .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Turnout needs Python 3.11, 3.12 or 3.13 on the PATH; or name one: make run PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/local: requirements/local.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/local.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: requirements/dev.txt .venv/local
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
