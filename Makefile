# Needs Python >= 3.11, bash and make; everything else is installed into .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
# One more than the cores of a small machine: browsers and servers wait much.
TEST_WORKERS ?= 3
PYTEST ?=

.PHONY: help install demo run backup restore test lint check fmt bench lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1 \t/' | expand -t 16

install: ## make .venv with everything for development
	@.ci/install dev

# All optional: INPUT=reviews.csv COLUMN=… EXPECTED=… PROMPT=name[@label] MODEL=connection/model ONCE=1 PORT=…
# Passed on through the environment, so that no name needs quoting twice.
export INPUT COLUMN EXPECTED PROMPT MODEL PORT

demo: ## start everything, run the sample job, open the dashboard's address
	@.ci/install runtime
	@exec $(BIN)/python manage.py demo $(if $(filter-out 0,$(ONCE)),--once) $(if $(PORT),--port "$$PORT") \
	  $(if $(INPUT),--input "$$INPUT") $(if $(COLUMN),--column "$$COLUMN") \
	  $(if $(EXPECTED),--expected "$$EXPECTED") $(if $(PROMPT),--prompt "$$PROMPT") $(if $(MODEL),--model "$$MODEL")

run: ## start everything without the job
	@.ci/install runtime
	@exec $(BIN)/python manage.py demo --no-job $(if $(PORT),--port "$$PORT")

backup: ## write the whole database to a file (FILE=… names it); keep the master keys elsewhere
	@.ci/install runtime
	@$(BIN)/python manage.py backup $(if $(FILE),"$(FILE)")

restore: ## bring FILE=… back into an empty database and verify audit trail and ledger
	@.ci/install runtime
	@test -n "$(FILE)" || { echo "name the backup: make restore FILE=…" >&2; exit 2; }
	@$(BIN)/python manage.py restore "$(FILE)"

test: ## run all tests (PYTEST="-k word" narrows)
	@.ci/install dev
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) $(PYTEST); status=$$?; \
	  $(BIN)/python manage.py embedded stop-if-unused --profile test; exit $$status

lint: ## all static checks
	@.ci/install dev
	@.ci/lint

check: lint test ## lint and test

fmt: ## format the code
	@.ci/install dev
	@$(BIN)/ruff check --fix-only --quiet . ; $(BIN)/ruff format .

bench: ## the measurements and chaos scripts of bench/ (ONLY=gateway one; PEERS=1 peers beside the gateway)
	@.ci/install dev
	@PEERS=$(PEERS) $(BIN)/python -m bench $(ONLY)

lock: ## write the two lock files from pyproject.toml
	@.ci/install dev
	@UV_PYTHON_DOWNLOADS=never $(BIN)/uv lock --quiet $(if $(UPGRADE),--upgrade)
	@$(BIN)/uv export --quiet --frozen --no-emit-project --no-header --format requirements-txt \
	  --no-default-groups --group embedded --output-file requirements.lock >/dev/null
	@$(BIN)/uv export --quiet --frozen --no-emit-project --no-header --format requirements-txt \
	  --all-groups --output-file requirements-dev.lock >/dev/null
	@if grep -nE 'https?://|file:' requirements.lock requirements-dev.lock; then echo "a lock names an address" >&2; exit 1; fi

clean: ## stop the embedded servers; remove .venv, caches and test data (the demo's data stays)
	@if [ -x $(BIN)/python ]; then for profile in demo test; do \
	  $(BIN)/python manage.py embedded stop --profile $$profile || true; done; fi
	rm -rf .venv .promptsaas/test .promptsaas/static .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
