# The two commands of this project: `make up` and `make test`. Both set up everything they need, and are fast again.

PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8080
ARQS ?= 0.26 0.27 0.28
STORMS ?= *
FUZZ ?= *
export PORT

.PHONY: help up demo test pythons arqs lowest image image-test check audit audit-data sbom release storm fuzz mutants bench roles-doc settings-doc format programs clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

up: .venv/.ready ## Valkey, the service and a worker, until Ctrl-C, at http://127.0.0.1:8080/; PORT=9000 for another port
	@exec $(BIN)/arqlight up $(ARGS)

demo: .venv/.ready ## the same, with mail and webhooks that come and go
	@exec $(BIN)/arqlight up --demo $(ARGS)

test: .venv/.ready programs ## every test, in a real browser and behind a real proxy too
	@rm -f .pytest_cache/installed.txt
	$(BIN)/pytest
	@cat .pytest_cache/installed.txt

pythons: .venv/.ready ## the unit tests on every CPython from 3.11 to 3.14 that is here; a minute
	@$(BIN)/python -m tests.support.environments pythons

arqs: .venv/.ready ## what depends on arq, with arq 0.26, 0.27 and 0.28; ARQS="0.26" for one; 2 minutes
	@ARQS="$(ARQS)" $(BIN)/python -m tests.support.environments arqs

lowest: .venv/.ready ## the unit tests with the lowest version of each package that pyproject.toml allows
	@$(BIN)/python -m tests.support.environments lowest

image: .venv/.ready ## deploy/Dockerfile built by docker, podman or the script ARQLIGHT_ENGINE, and what it adds to its base
	@$(BIN)/python -m tests.image.engine

image-test: image ## that image in a real engine, as deploy/compose.yaml and deploy/kubernetes/ run it; a minute
	$(BIN)/pytest --numprocesses=0 tests/image/image_*.py

storm: .venv/.ready ## faults at each command and under full load, with a table at the end; 40 minutes, 8 with SHORT=1; STORMS="claims drain" for some
	ARQLIGHT_SHORT=$(SHORT) ARQLIGHT_MODEL_EXAMPLES=$(if $(SHORT),50,300) $(BIN)/pytest -v --numprocesses=0 $(foreach storm,$(STORMS),tests/storms/storm_$(storm).py) tests/integration/test_journal_model.py

mutants: .venv/.ready ## does a test notice when a line of the scripts or of the worker is left out? ARQLIGHT_MUTANTS=20 for some
	$(BIN)/python -m tests.support.mutants

fuzz: .venv/.ready ## hostile requests, frames and jobs by the ten thousand; 5 minutes, 3 with SHORT=1
	ARQLIGHT_SHORT=$(SHORT) $(BIN)/pytest -v --numprocesses=0 $(foreach part,$(FUZZ),tests/storms/fuzz_$(part).py)

bench: .venv/.ready ## arqlight beside other job queues; QUICK=1 for a look in 3 minutes, PARTS="drain fanout" for some of it
	@$(BIN)/uv sync --quiet --locked --inexact --group bench
	$(BIN)/python -m tests.benchmarks $(if $(QUICK),--quick) $(PARTS)

check: .venv/.ready audit ## style, types, known vulnerabilities of the dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

audit: .venv/.ready ## known vulnerabilities of the dependencies; ARQLIGHT_AUDIT=strict fails when the database cannot be asked
	@$(BIN)/python -m tests.support.audit

audit-data: .venv/.ready ## OSV's database of PyPI as a file, for `make audit ARQLIGHT_AUDIT_DATA=osv-pypi.zip` elsewhere
	@$(BIN)/python -m tests.support.vulnerability_data

sbom: .venv/.ready ## what is in a release, as CycloneDX: sbom.json
	@$(BIN)/uv export --quiet --locked --no-dev --all-extras --format cyclonedx1.5 --output-file sbom.json

release: .venv/.ready ## wheel, sdist, sbom.json, provenance.json and SHA256SUMS of this commit, in dist/; the same at each build
	@$(BIN)/python -m tests.support.release

roles-doc: .venv/.ready ## docs/roles.md, written anew from the code
	@$(BIN)/python -m tests.support.roles_document

settings-doc: .venv/.ready ## docs/settings.md, written anew from the code
	@$(BIN)/python -m tests.support.settings_document

format: .venv/.ready ## the code, as ruff would have it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

programs: .venv/.ready # a Chromium, an nginx, and what npm installs for the tests
	@$(BIN)/python -m tests.support.programs

.venv/.ready: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "arqlight needs Python 3.11 or newer; set PYTHON=")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv sync --quiet --locked --inexact
	@touch $@

clean: ## the environment and the caches, removed
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
