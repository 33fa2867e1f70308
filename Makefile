# `make` lists the targets. All of them set up .venv by themselves if it is not there or stale.
#
# You need git and Python 3.11, 3.12 or 3.13 (on Debian: with python3-venv). uv is found on your
# PATH or put into .uv/. Choose an interpreter:   make PYTHON=/path/to/python3.12 lab
# Pass options on to the command behind a target:  make test ARGS="-k sandbox"
#                                                  make lock UPGRADE=1

BOOTSTRAP := sh .ci/bootstrap.sh
BIN := .venv/bin

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help lab demo test compat build lint format lock export clean sync

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

lab: sync ## Open JupyterLab on the course's roadmap
	@$(BIN)/autograder lab $(ARGS)

demo: sync ## Grade a small class and show what an instructor gets
	@$(BIN)/autograder demo $(ARGS)

test: sync ## Run all checks: style, build, tests; a summary comes last
	@$(BIN)/python .ci/steps.py $(ARGS)

compat: sync ## Run nbgrader's own tests, plain and with our engine (ten minutes)
	@$(BIN)/python -m tests.compat $(ARGS)

build: sync ## Make the notebooks of course/, solutions/ and labs/ from their sources
	@$(BIN)/autograder build $(ARGS)

lint: sync ## Check the Python style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: sync ## Correct the Python style where ruff can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: ## Solve uv.lock again after a change in pyproject.toml, then export
	@for project in . environments/*/; do \
	  $(BOOTSTRAP) uv lock --project $$project --default-index https://pypi.org/simple \
	    $(if $(UPGRADE),--upgrade) || exit 1; \
	done
	@$(MAKE) --no-print-directory export

export: sync ## Write environment.yml (conda) and binder/environment.yml from uv.lock
	@$(BIN)/python .ci/export_environment.py

clean: ## Remove .venv, .uv and caches; your work in the labs stays
	@rm -rf .venv .venv-* .uv .cache .pytest_cache .ruff_cache tests/artifacts
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

sync:
	@$(BOOTSTRAP) sync
