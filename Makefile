# Two commands matter: `make run` and `make test`. Everything they need they install themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
DATA_DIR ?= var
export PORT DATA_DIR
# Two test processes: the machine this must pass on has two cores.
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help run serve van test test-all lint format bench gallery reset setup setup-dev system

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

run: setup ## prepare the demonstration (first time up to 5 minutes), then serve it at http://localhost:$PORT
	@DEMO=1 $(BIN)/flask --app wsgi demo prepare
	@DEMO=1 exec $(BIN)/gunicorn -c python:web.serve wsgi:app

serve: setup ## serve an installation of your own (no demonstration); WORKERS=n with PostgreSQL and Redis; see docs/operations.md
	@$(BIN)/flask --app wsgi db upgrade
	@exec $(BIN)/gunicorn -c python:web.serve wsgi:app

van: setup ## the laptop of a van: CENTER=code HQ=https://... TOKEN=...; works without any network; see docs/operations.md
	@VAN_CENTER="$(CENTER)" VAN_HQ="$(HQ)" VAN_TOKEN="$(TOKEN)" exec $(BIN)/flask --app wsgi van run

test: setup-dev system ## all tests, under 15 minutes on two cores
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m "not slow"

test-all: setup-dev system lint ## all tests, the slow ones too, and lint
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m "not slow"
	@$(BIN)/python -m pytest -m slow

lint: setup-dev ## ruff, mypy (strict below web) and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy routing queueing fleet web
	@$(BIN)/lint-imports

format: setup-dev ## format the code
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format .

bench: setup-dev $(VENV)/.ready-bench ## benchmarks side by side with their baselines, into docs/benchmarks.md (hours, goes on where stopped); QUICK=1: a taste
	@$(BIN)/python -m tests.bench $(if $(QUICK),--quick)

gallery: setup-dev system ## pictures of every screen, in every language and at three widths: $(DATA_DIR)/gallery/index.html
	@$(BIN)/python -m tests.browser.gallery "$(DATA_DIR)/gallery"

reset: ## delete the data of this folder's installation, after asking
	@.ci/reset "$(DATA_DIR)"

setup: $(VENV)/.ready web/static/vendor/.ready $(VENV)/.compiled web/static/sounds/.ready

setup-dev: setup $(VENV)/.ready-dev

system: ## (for tests) Debian's chromium, postgresql, redis and an Arabic font
	@.ci/system

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 ...")'
	@echo "making the virtual environment ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: $(VENV)/bin/python requirements.txt
	@echo "installing Python packages ..."
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.txt
	@echo "installing tools for tests and lint ..."
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# inner loops are compiled once here, else the first plan, forecast and played week would wait for them
COMPILED := $(shell find routing/engine -name '*.py') fleet/relief_chain.py fleet/simulation/engine_compiled.py \
	queueing/waits/compiled.py
$(VENV)/.compiled: $(VENV)/.ready $(COMPILED)
	@echo "compiling the planning engine and the queue model ..."
	@$(BIN)/python -m routing warm
	@$(BIN)/python -m fleet.warm
	@touch $@

# spoken calls of boards; where they cannot be made boards chime, and the next setup tries again
web/static/sounds/.ready: $(VENV)/.ready .ci/requirements-sounds.txt $(wildcard web/speech/*.py)
	@echo "recording the spoken calls ..."
	@$(BIN)/pip install -q --disable-pip-version-check -r .ci/requirements-sounds.txt \
	  && $(BIN)/python -m web.speech.make && touch $@ || true

$(VENV)/.ready-bench: $(VENV)/.ready-dev requirements-bench.txt
	@echo "installing what benchmarks are measured beside ..."
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements-bench.txt
	@touch $@

web/static/vendor/.ready: package.json package-lock.json $(VENV)/.ready
	@.ci/frontend "$(BIN)"
	@touch $@
