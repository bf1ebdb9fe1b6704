# assay: `make help` lists the targets. Everything runs in .venv, made from requirements.lock.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
PROJECT ?=
SOURCE ?= sample
MIRROR ?=
FORCE ?=
EXP ?=
PROFILE ?=
SEEDS ?=
SET ?=
JOBS ?= 1
LAUNCHER ?= process
CLUSTER ?=
MODEL ?=
RUNTIME ?=
BATCH ?=

VENV := .venv
STAMP := $(VENV)/.made-from-lock
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export DO_NOT_TRACK := 1

.PHONY: help env data repro sweep bench test test-slow lint format ui docs status clean
.DELETE_ON_ERROR:

help:         ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(STAMP) ## make the environment from requirements.lock (every other target does it by itself)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "assay: $(PYTHON) is $$($(PYTHON) -V 2>&1); Python 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@command -v uv >/dev/null || $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv
	@echo "making $(VENV) from requirements.lock (some GB the first time)"
	@VIRTUAL_ENV="$(CURDIR)/$(VENV)" UV_COMPILE_BYTECODE=1 uv pip sync --quiet --require-hashes requirements.lock
	@VIRTUAL_ENV="$(CURDIR)/$(VENV)" uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

data: env     ## fill data/ where it is missing: SOURCE=sample|original PROJECT=cherry MIRROR=<folder> FORCE=1
	@assay data --source "$(SOURCE)" --project "$(PROJECT)" --mirror "$(MIRROR)" $(if $(FORCE),--force)

repro: env    ## run the whole graph, bring the runs into MLflow, print the result
	@assay data
	@dvc repro --keep-going; code=$$?; assay registry sync || code=2; assay status; exit $$code

sweep: env    ## run a sweep: EXP=convnextv2 [PROFILE=full] [SEEDS=1,2,3] [SET="train.epochs=4"] [JOBS=2] [LAUNCHER=process|joblib|basic|ray|slurm]
	@test -n "$(EXP)" || { echo "assay: say which: make sweep EXP=<$$(sed -n 's/^  \([a-z0-9_]*\): {project:.*/\1/p' params.yaml | paste -sd'|')>" >&2; exit 2; }
	@assay sweep request "$(EXP)" --profile "$(PROFILE)" --seeds "$(SEEDS)" $(foreach change,$(SET),--set "$(change)")
	@assay data --project "$$(sed -n 's/^  $(EXP): {project: \([a-z]*\).*/\1/p' params.yaml)"
	@ASSAY_JOBS="$(JOBS)" ASSAY_LAUNCHER="$(LAUNCHER)" ASSAY_CLUSTER="$(CLUSTER)" dvc repro "sweeps/dvc.yaml:sweep@$(EXP)"; code=$$?; assay registry sync || code=2; exit $$code

test: env     ## fast tests (a few minutes)
	@python -m pytest -n logical --dist loadfile

test-slow: env ## slow tests: real graphs, kills, sweeps
	@python -m pytest -m slow -n logical --dist loadfile

lint: env     ## format check, rules, types, import directions
	@ruff format --check . && ruff check . && mypy && lint-imports --verbose

format: env   ## format and mend what a tool can mend
	@ruff format . && ruff check --fix .

bench: env    ## what models cost here: FPS, latency, memory, size: [MODEL=yolo11n:640,cherry-classifier] [RUNTIME=onnx] [BATCH=1,16]
	@python -m benchmarks.deployment $(if $(MODEL),--model "$(MODEL)") $(if $(RUNTIME),--runtime "$(RUNTIME)") $(if $(BATCH),--batch "$(BATCH)")

ui: env       ## open MLflow on http://127.0.0.1:5000
	@assay registry ui

docs: env     ## build the documentation: build/site/index.html
	@NO_MKDOCS_2_WARNING=1 mkdocs build --quiet && echo build/site/index.html

status: env   ## print the result table again
	@assay status

clean:        ## remove build/, runs/ and resolved sweeps; data/, mlruns/, results/ and reviews/ stay
	@rm -rf build runs resolved/sweeps sweeps/request
