# On a fresh machine with Python 3.11 or newer: with uv where it is installed, with venv and pip where not.

VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
UV ?= $(shell command -v uv 2>/dev/null)
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

SERVERS ?= $(patsubst tests/servers/requirements/%.txt,%,$(wildcard tests/servers/requirements/*.txt))

PEERS := "evidently==0.7.23" "nannyml==0.13.1" "pandas<3" "numpy<2.3" statsmodels scikit-learn pyarrow

EVERY := not soak and not servers and not spark and not peers
USUAL := not deep and $(EVERY)

export UV_PROJECT_ENVIRONMENT := $(VENV)
unexport VIRTUAL_ENV
# Images of containers often set it: then each of some hundred processes would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-oldest test-soak test-servers test-spark test-peers lint format bench sim pictures samples build audit sbom lock clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 14

demo: $(VENV)/.installed ## Install into .venv and watch the sample logs
	$(BIN)/mlwatch sample_logs

test: $(VENV)/.installed-dev ## Run the tests; those that need other servers are left out
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "$(USUAL)"

test-all: $(VENV)/.installed-dev ## Run these and their further cases
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "$(EVERY)"

test-soak: $(VENV)/.installed-dev ## Kill the ingest 200 times more, read many files changed at random, two hours of a busy service
	$(BIN)/python -m pytest -m soak

test-servers: $(VENV)/.installed-dev $(SERVERS:%=.servers/%/.installed) ## Test against real servers, SERVERS="mlflow ray" for some; 0.1 to 5 GB each
	$(BIN)/python -m pytest -m servers -rs tests/servers

test-spark: .spark/.installed ## Compare what Spark counts with what DuckDB counts; needs Java 17, 0.5 GB
	.spark/bin/python -m pytest -m spark -rs tests/spark

test-peers: $(VENV)/.installed-dev .peers/.installed ## Compare with Evidently and NannyML themselves; 2.3 GB
	PEERS_PYTHON=.peers/bin/python $(BIN)/python -m pytest -m peers -rs tests/unit/metrics/test_peers.py

lint: $(VENV)/.installed-dev ## Check style, types and the layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## Put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.installed-dev ## Measure against the raw engine; BENCH_ROWS=10_000_000 for more
	$(BIN)/python tests/benchmarks/run.py

sim: $(VENV)/.installed-dev ## Simulate rollouts and print the error rates of the verdict
	$(BIN)/python tests/benchmarks/simulate_rollouts.py

pictures: $(VENV)/.installed-dev ## Export the pictures of the README
	$(BIN)/python tests/support/pictures.py

samples: $(VENV)/.installed-dev ## Make sample_logs again
	$(BIN)/python sample_logs/generate.py

# A package is built by uv or by `build`, in an environment of its own either way.
ifneq ($(UV),)

build: ## Build the wheel and the source distribution into dist/
	$(UV) build

audit: ## Look for known vulnerabilities in everything that uv.lock pins, extras too
	@mkdir -p dist
	$(UV) export -q --locked --no-default-groups --all-extras --no-emit-project -o dist/requirements.txt
	$(UV) tool run pip-audit --strict --disable-pip --require-hashes -r dist/requirements.txt

sbom: ## Write what the package stands on to dist/mlwatch.cdx.json (CycloneDX)
	@mkdir -p dist
	$(UV) export -q --locked --no-default-groups --all-extras --format cyclonedx1.5 -o dist/mlwatch.cdx.json

.oldest/.installed: pyproject.toml
	$(UV) venv --allow-existing -p 3.11 .oldest
	$(UV) pip install -p .oldest/bin/python --resolution lowest-direct -e . --group test
	@touch $@

test-oldest: .oldest/.installed ## Run the tests with the oldest versions that pyproject.toml allows
	.oldest/bin/python -m pytest -n $(JOBS) --dist loadfile -m "$(EVERY)"

lock: ## Resolve the dependencies again
	$(UV) lock

# Each server in an environment of its own: their dependencies contradict each other.
.servers/%/.installed: tests/servers/requirements/%.txt
	$(UV) venv --allow-existing -p 3.11 .servers/$*
	$(UV) pip install -p .servers/$*/bin/python -r $<
	@touch $@

.spark/.installed: pyproject.toml
	$(UV) venv --allow-existing -p 3.11 .spark
	$(UV) pip install -p .spark/bin/python -e '.[spark]' --group test
	@touch $@

.peers/.installed: Makefile
	$(UV) venv --allow-existing -p 3.11 .peers
	$(UV) pip install -p .peers/bin/python $(PEERS)
	@touch $@

# uv refuses the lock where another index takes the place of PyPI: then it resolves afresh.
$(VENV)/.installed: pyproject.toml $(wildcard uv.lock)
	$(UV) sync --locked --inexact --no-default-groups || \
		{ $(UV) venv --allow-existing $(VENV) && $(UV) pip install -p $(BIN)/python -e .; }
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(wildcard uv.lock)
	$(UV) sync --locked --inexact || \
		{ $(UV) venv --allow-existing $(VENV) && $(UV) pip install -p $(BIN)/python -e . --group dev; }
	@touch $@

else

build: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -q build
	$(BIN)/python -m build

.servers/%/.installed: tests/servers/requirements/%.txt | $(VENV)/.pip
	$(BIN)/python -m venv .servers/$*
	.servers/$*/bin/python -m pip install -q -r $<
	@touch $@

audit sbom test-oldest lock:
	@echo "make: $@: needs uv: https://docs.astral.sh/uv/" >&2; exit 2

.spark/.installed: pyproject.toml | $(VENV)/.pip
	$(BIN)/python -m venv .spark
	.spark/bin/python -m pip install -q --upgrade "pip>=25.1"
	.spark/bin/python -m pip install -q -e '.[spark]' --group test
	@touch $@

.peers/.installed: Makefile | $(VENV)/.pip
	$(BIN)/python -m venv .peers
	.peers/bin/python -m pip install -q $(PEERS)
	@touch $@

# Dependency groups need pip 25.1, which is newer than many a Python brings.
$(VENV)/.pip:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer: not found: install it, or set PYTHON" >&2; exit 2; }
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip
	$(BIN)/python -m pip install -q --upgrade "pip>=25.1"
	@touch $@

$(VENV)/.installed: pyproject.toml | $(VENV)/.pip
	$(BIN)/python -m pip install -q -e .
	@touch $@

# What is never imported is not compiled either: half of what installing takes.
$(VENV)/.installed-dev: pyproject.toml | $(VENV)/.pip
	$(BIN)/python -m pip install -q --no-compile -e . --group dev
	@touch $@

endif

clean: ## Remove what was built and cached; .venv stays
	rm -rf dist build .oldest .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov
	find mlwatch widgets tests sample_logs -name __pycache__ -type d -prune -exec rm -rf {} +
