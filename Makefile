# One command for each thing a person does here. Every target works in a fresh clone: it makes
# .venv and installs the pinned packages first, and does so again only when the pins change.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
FILE   ?= scenarios/site-to-site.yaml

RUN_PINS := requirements.txt requirements-build.txt pyproject.toml
DEV_PINS := $(RUN_PINS) requirements-dev.txt
BROWSER_PINS := $(DEV_PINS) requirements-browser.txt
# A stamp carries the checksum of what was installed: touching a file installs nothing anew.
RUN_STAMP := $(VENV)/.run-$(shell cat $(RUN_PINS) | cksum | tr ' ' '-')
DEV_STAMP := $(VENV)/.dev-$(shell cat $(DEV_PINS) | cksum | tr ' ' '-')
BROWSER_STAMP := $(VENV)/.browser-$(shell cat $(BROWSER_PINS) | cksum | tr ' ' '-')

# A kernel that is stepped through, or checked for bounds, is asked for by hand.
unexport PYTHONPATH PYTHONHOME NUMBA_DISABLE_JIT NUMBA_BOUNDSCHECK

.DEFAULT_GOAL := help
.PHONY: help demo test test-browser lint types layers compile tests notebooks bench validate update-golden clean

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

demo: $(RUN_STAMP) ## run the first scenario (another one: make demo FILE=scenarios/...)
	@$(BIN)/crossprem run $(FILE)

test: lint types layers tests ## the whole check

lint: $(DEV_STAMP) ## style and likely mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV_STAMP) ## types
	$(BIN)/mypy

layers: $(DEV_STAMP) ## which package may import which
	$(BIN)/lint-imports --no-logo

# Both test processes load what this compiles, instead of compiling it twice.
compile: $(RUN_STAMP) ## compile the kernels that a run needs
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
		$(BIN)/crossprem run scenarios/site-to-site.yaml -q --out "$$folder/run" > "$$folder/log"

tests: $(DEV_STAMP) compile ## tests, notebooks among them
	$(BIN)/python -m pytest -n 2

test-browser: $(BROWSER_STAMP) compile ## the report in a real Chromium, which the system must have
	$(BIN)/python -m pytest -m browser

notebooks: $(DEV_STAMP) ## run every notebook from top to bottom
	$(BIN)/python -m pytest tests/notebooks

bench: $(DEV_STAMP) ## measure; writes benchmarks/results.json
	$(BIN)/python -m benchmarks

validate: $(DEV_STAMP) compile ## compare with all measurements (docs/validation.md); long forms of tests
	$(BIN)/python -m tests.validation
	HYPOTHESIS_PROFILE=validate $(BIN)/python -m pytest -n 2 -m ""

update-golden: $(DEV_STAMP) compile ## rewrite golden files; say why in the commit
	$(BIN)/python -m pytest -m golden --update-golden
	git status --short tests/golden

clean: ## remove .venv and caches; run folders stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Some systems have Python without ensurepip: then the system's pip fills the environment.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $(PYTHON) is too old: Python 3.11 or newer is needed; try: make PYTHON=python3.12" >&2; \
		exit 1; }
	@$(PYTHON) -m venv $(VENV) > /dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip $(VENV)

define INSTALL
if $(BIN)/python -m pip --version > /dev/null 2>&1; \
then pip="$(BIN)/python -m pip"; else pip="$(PYTHON) -m pip --python $(BIN)/python"; fi; \
echo "installing pinned packages into $(VENV); this takes a minute or two" >&2; \
pip="$$pip install -qq --disable-pip-version-check"; \
$$pip $(1) && $$pip --no-build-isolation --no-deps --editable .
endef

$(RUN_STAMP): | $(BIN)/python
	@$(call INSTALL,-r requirements.txt -r requirements-build.txt)
	@rm -f $(VENV)/.run-* && touch $@

$(DEV_STAMP): $(RUN_STAMP)
	@$(call INSTALL,-r requirements-dev.txt)
	@rm -f $(VENV)/.dev-* && touch $@

$(BROWSER_STAMP): $(DEV_STAMP)
	@$(call INSTALL,-r requirements-browser.txt)
	@rm -f $(VENV)/.browser-* && touch $@
