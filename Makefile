# make build builds the stack;  make deploy puts it into your AWS account;  make test-sam runs it with `sam local`
# make run   starts the router on http://127.0.0.1:8080 (PORT changes it)
# make test  runs the tests;  make check  runs linters, types and the import rule
# PYTHON is only used to make .venv; any of 3.11 to 3.13 does.
PYTHON ?= $(shell for v in python3 python3.13 python3.12 python3.11; do \
	command -v $$v >/dev/null && $$v -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo $$v; break; }; done)
PORT ?= 8080
BIN := .venv/bin
LOCKS := functions/requirements layers/inference/requirements requirements/local requirements/dev

ARCH ?= x86_64
# Some tests want Node's packages too, and are skipped where there is no npm.
NODE_TOOLS := $(if $(shell command -v npm 2>/dev/null),tests/node/node_modules/done)

SAM := SAM_CLI_TELEMETRY=0 ARCH=$(ARCH) .venv-sam/bin/sam

.PHONY: run test test-all test-sam check check-stack build deploy format lock bench-cold clean

run: .venv/local
	@PORT=$(PORT) $(BIN)/turnout serve

test: .venv/dev .venv-llmock/done $(NODE_TOOLS)
	$(BIN)/python -m pytest -m "not slow and not sam_local"

test-all: .venv/dev .venv-llmock/done $(NODE_TOOLS)
	$(BIN)/python -m pytest -m "not sam_local"

# Needs Docker, and AWS's image of Python or another one under its name.
test-sam: .venv/dev .venv-sam/done
	PATH="$(CURDIR)/.venv-sam/bin:$$PATH" $(BIN)/python -m pytest -m sam_local

build: .venv-sam/done .venv/local
	$(SAM) build --parameter-overrides Architecture=$(ARCH)

deploy: build
	$(SAM) deploy --guided --parameter-overrides Architecture=$(ARCH)

# How long a cold start takes, and what makes it so. PYTHON313 names a Python 3.13.
bench-cold: .venv/dev build
	PYTHONPATH=tests $(BIN)/python tests/benchmarks/cold_start.py $(if $(PYTHON313),--python $(PYTHON313))

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# sam and checkov want a region, and never go there.
check-stack: .venv-sam/done .venv-checkov/done
	AWS_DEFAULT_REGION=eu-central-1 $(SAM) validate --lint
	.venv-sam/bin/cfn-lint infra/observability.yaml
	.venv-checkov/bin/checkov --file template.yaml infra/observability.yaml --framework cloudformation --quiet --compact --skip-download

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Needs uv. One resolution serves all: the smaller sets are cut out of the largest.
lock:
	for set in requirements/dev requirements/local functions/requirements layers/inference/requirements \
			requirements/sam requirements/checkov requirements/llmock; do \
		constraint=; case $$set in requirements/dev|requirements/sam|requirements/checkov|requirements/llmock) ;; *) constraint="--constraint requirements/dev.txt";; esac; \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
			--no-emit-index-url --no-emit-find-links $$constraint $$set.in --output-file $$set.txt || exit; \
	done

clean:
	rm -rf .venv .venv-sam .venv-checkov .venv-llmock .turnout .aws-sam .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis tests/node/node_modules

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Turnout needs Python 3.11, 3.12 or 3.13 on the PATH; or name one: make run PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/local: requirements/local.txt pyproject.toml $(wildcard infra/catalogue/*) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/local.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python infra/catalogue/build.py functions/turnout/models.json
	@mkdir -p .turnout && $(BIN)/turnout policy schema > .turnout/policy.schema.json
	@touch $@

.venv/dev: requirements/dev.txt .venv/local
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

tests/node/node_modules/done: tests/node/package-lock.json
	npm ci --prefix tests/node --no-audit --no-fund --ignore-scripts --silent
	@touch $@

.venv-sam/done: requirements/sam.txt
	@[ -n "$(PYTHON)" ] || { echo "The SAM CLI needs Python 3.11, 3.12 or 3.13 on the PATH" >&2; exit 1; }
	$(PYTHON) -m venv .venv-sam
	.venv-sam/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

# It would change the versions of the server that is tested.
.venv-llmock/done: requirements/llmock.txt | .venv/bin/python
	.venv/bin/python -m venv .venv-llmock
	.venv-llmock/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

.venv-checkov/done: requirements/checkov.txt
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@
