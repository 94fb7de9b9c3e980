# Two commands on a fresh Linux machine with Python 3.11+, git and make:
#   make demo    the main job, end to end
#   make test    lint, types, tests
# Another build of torch (see README): make demo TORCH="torch --index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= python3
VENV ?= .venv
TORCH ?=
OUT ?= demo
ADMISSIONS ?= 2000
SEED ?= 7
# A server of some minutes is not worth the second compiler: half the CPU time.
SHORT_LIVED := -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
JOBS ?= $(if $(NEO4J_TEST_URI),0,2)
NEO4J_VERSION ?= 5.26.29
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.DEFAULT_GOAL := help
.PHONY: help demo demo-mimic install install-test test lint types unit soak neo4j neo4j-stop neo4j-tools bench clean

help:
	@echo "make demo          install into $(VENV) and run the main job ($(ADMISSIONS) simulated admissions) in $(OUT)/"
	@echo "make demo-mimic MIMIC_IV=DIR   the same on a MIMIC-IV directory"
	@echo "make test          install what tests need; lint, types, tests"
	@echo "make neo4j         a local Neo4j $(NEO4J_VERSION) without Docker (127.0.0.1); make neo4j-stop ends it"
	@echo "make soak          tests that take minutes; make bench: benchmarks"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; give one with: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "venv could not be made; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "installing clinragen into $(VENV) (torch's default build takes some minutes and 6 GB)"
	@test -z "$(TORCH)" || $(BIN)/python -m pip install --quiet $(TORCH)
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "installing what the tests need"
	@$(BIN)/python -m pip install --quiet --editable ".[models,neo4j-server]" --group dev
	@touch $@

install: $(VENV)/.installed
install-test: $(VENV)/.installed-test

demo: install
	@$(BIN)/clinragen demo --admissions $(ADMISSIONS) --seed $(SEED) --out $(OUT) $(ARGS)

demo-mimic: install
	@test -n "$(MIMIC_IV)" || { echo "name the directory: make demo-mimic MIMIC_IV=path/to/mimic-iv" >&2; exit 2; }
	@$(BIN)/clinragen demo --mimic-iv $(MIMIC_IV) --seed $(SEED) --out $(OUT)-mimic $(ARGS)

# Java and Maven fetch and run the real Neo4j server of the integration tests; without them these tests say why they are skipped.
neo4j-tools:
	@if command -v mvn >/dev/null && command -v java >/dev/null; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  echo "installing Maven and a Java runtime"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq maven default-jre-headless >/dev/null; \
	elif command -v apt-get >/dev/null && command -v sudo >/dev/null && sudo -n true 2>/dev/null; then \
	  sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq maven default-jre-headless >/dev/null; \
	else echo "no Maven or Java and no right to install them: tests on a real Neo4j will be skipped (apt-get install maven)"; fi

lint: install-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: install-test
	@$(BIN)/mypy

# Two processes of one thread each, a file's tests in one of them; JOBS=0 runs all in one.
unit: install-test neo4j-tools
	@OMP_NUM_THREADS=1 JDK_JAVA_OPTIONS="$(SHORT_LIVED)" $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST)

test: lint types unit

soak: install-test neo4j-tools
	@$(BIN)/python -m pip install --quiet --group soak || \
	  echo "atheris could not be installed for this Python: the fuzzing of the readers will be skipped" >&2
	@$(BIN)/python -m pytest -m soak $(PYTEST)

neo4j: install
	@$(BIN)/python -m pip install --quiet --editable ".[neo4j-server]"
	@$(BIN)/python -m kg.neo4j_server start --version $(NEO4J_VERSION)

neo4j-stop:
	@$(BIN)/python -m kg.neo4j_server stop

bench: install-test
	@$(BIN)/python benchmarks/kg_build.py

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache
