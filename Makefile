# `make help` explains the targets. All of them work without root, and with no network but the package index.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
.PHONY: help setup run test test-snap test-applications test-production test-dashboard screenshots check format ui bench bench-peers lock clean demo-clean

export ARCHIVE AOI YEAR SEASON DEM DEM_VERTICAL GEOID LABELS LABEL_SOURCE LABEL_COLUMN LABEL_CLASSES LABEL_OTHER_YEAR STORE MASK PORT
export SEN12TS_MAKE_VARIABLES := $(foreach v,$(.VARIABLES),$(if $(filter command,$(origin $v)),$v))
export PYTHONPATH := $(CURDIR)

BIN := .venv/bin
# The first of these that is Python 3.11 to 3.13; PYTHON=... names another.
PYTHONS := $(PYTHON) python3 python3.13 python3.12 python3.11

help: ## Explain the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 26
	@printf '\nVariables of make run, all optional; without them the simulated demo is made:\n'
	@sed -nE 's/^    "([A-Z_]+)": "(.*)",$$/  \1\t\2/p' deploy/local/variables.py | expand -t 26

setup: ## Make the environment .venv (run by the other targets when needed)
	@for python in $(PYTHONS); do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
	    exec env -u PYTHONPATH $$python deploy/local/setup_venv.py; \
	  fi; \
	done; \
	echo "make setup: needs Python 3.11, 3.12 or 3.13; found none of: $(strip $(PYTHONS))" >&2; exit 1

run: setup ## Make one partition: the demo, or what ARCHIVE, AOI, YEAR, SEASON, DEM, ... say
	@exec $(BIN)/python -m deploy.local.run

ui: setup ## Start Airflow's user interface and scheduler (STORE, PORT); Ctrl-C ends all of it
	@exec $(BIN)/python -m deploy.local.ui

test: setup ## Run all tests
	@$(BIN)/python -m pytest -n auto --dist loadfile

test-snap: setup ## Make pyroSAR's environment and run its tests; with SEN12TS_GPT=/path/gpt those that need SNAP too
	@$(BIN)/python deploy/local/setup_snap.py
	@SEN12TS_PYROSAR=$(CURDIR)/.sen12ts/snap-env/bin/python $(BIN)/python -m pytest -m 'needs_pyrosar or needs_snap'

test-applications: setup ## Make an environment with PyTorch; run the tests of the paper's applications and cloud networks
	@$(BIN)/python deploy/local/setup_torch.py
	@.sen12ts/torch-env/bin/python -m pytest tests/applications tests/dataset/test_torch.py tests/dataset/test_export.py \
	  tests/dataset/test_reader.py tests/sentinel2/test_csmask.py tests/sentinel2/test_omnicloud.py tests/stages/test_clouds.py

test-production: setup ## Start PostgreSQL, Redis, S3 and Airflow with Celery on this machine, and run the fault drills on them
	@$(BIN)/python deploy/production/setup_production.py
	@SEN12TS_PRODUCTION=$(CURDIR)/.sen12ts/production-env/bin/python \
	  $(BIN)/python -m pytest -n 0 -p no:randomly -v -m needs_production tests/production

test-dashboard: setup ## Run the tests of the dashboard, in Chromium too (packages chromium and chromium-driver)
	@driver=$$(command -v chromedriver) || { echo "make test-dashboard: needs chromedriver (apt-get install chromium-driver)" >&2; exit 1; }; \
	SEN12TS_CHROMEDRIVER=$$driver $(BIN)/python -m pytest tests/dashboard tests/browser tests/dags/test_dashboard.py

screenshots: ## Run the tests of the dashboard and take the pictures of docs/dashboard.md anew
	@SEN12TS_SCREENSHOTS=1 $(MAKE) test-dashboard

check: setup ## Check style, types and the order of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup ## Measure seconds, CPU seconds and memory of each stage, per triplet, of the radar engine and of optical stacks
	@$(BIN)/python benchmarks/run.py
	@$(BIN)/python -m benchmarks.engine
	@exec $(BIN)/python -m benchmarks.optical

bench-peers: setup ## Measure the native engine beside other tools, speed and error; fills docs/benchmarks.md
	@exec $(BIN)/python -m benchmarks.peers.run $(TOOLS)

UV := $(BIN)/uv --quiet --no-config --directory requirements pip compile --universal --python-version 3.11 \
  --fork-strategy fewest --no-annotate --no-strip-extras
TOGETHER := ../.sen12ts/together.txt
# Not torch and what needs it: its wheels differ by accelerator.
EXTRAS := --extra airflow --extra s3 --extra postgresql --extra dhus --extra cloudmask
LOCK := $(UV) --generate-hashes --custom-compile-command 'make lock'

# All lists but SNAP's take the versions of one common solution, which keeps what is there; UPGRADE=--upgrade renews it.
lock: setup ## Compile the lists of requirements anew (UPGRADE=--upgrade for newer versions)
	@mkdir -p .sen12ts
	@grep -hE '^[A-Za-z0-9]' requirements/{run,dev,production,dhus}.txt | sed 's/ \\$$//' | sort -u > .sen12ts/together.txt
	@$(UV) $(UPGRADE) --no-header ../pyproject.toml $(EXTRAS) run.in dev.in production.in dhus.in -o $(TOGETHER)
	@$(LOCK) -c $(TOGETHER) ../pyproject.toml --extra airflow run.in -o run.txt
	@for name in dev production dhus; do $(LOCK) -c $(TOGETHER) $$name.in -o $$name.txt; done
	@for name in pip peers-sarsen peers-insardev; do $(LOCK) $(UPGRADE) $$name.in -o $$name.txt; done
	@$(LOCK) $(UPGRADE) --no-emit-package psycopg2 snap.in -o snap.txt

demo-clean: ## Remove the demo's simulated products
	@rm -rf .sen12ts/demo

clean: ## Remove the environment, all state and logs, and what tools left; never a store
	@rm -rf .venv .sen12ts .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
