# Everything runs in .venv, which the first command makes: `make demo` and `make test` work in a fresh clone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
STAMP := $(VENV)/.installed
PROJECTS := pyproject.toml $(sort $(wildcard plugins/*/pyproject.toml plugins/*/*/pyproject.toml))
PLUGINS := $(patsubst %/pyproject.toml,%,$(filter plugins/%,$(PROJECTS)))

.PHONY: help demo test install lint format types imports catalogue wheels isolated check gpu-check clean

help:
	@echo "make demo       train a small network on handwritten digits, save it, load it, use it"
	@echo "make test       run all tests"
	@echo "make check      what continuous integration runs: tests, lint, format, types, imports, wheels"
	@echo "make install    install the core and all plugins for development into $(VENV)"
	@echo "make catalogue  write the files derived from the plugins' entry points"
	@echo "make isolated   each plugin's tests with nothing installed but what it declares"
	@echo "make gpu-check  on a machine with a GPU: all tests on it, and the table in benchmarks/gpu.md"
	@echo "make format     format the code"
	@echo "make lint | types | imports | wheels | clean"

demo: $(STAMP)
	$(BIN)/kcore demo

test: $(STAMP)
	$(BIN)/python -m pytest

install: $(STAMP)

# One pip call for all distributions; without isolation the build tools are installed once, and
# --no-deps for ours since their dependencies on one another are on no index yet.
$(STAMP): $(PROJECTS)
	@test -x $(BIN)/python || $(PYTHON) -c "import sys; \
		sys.version_info >= (3, 11) or sys.exit('kcore needs Python 3.11 or later; name one: make PYTHON=python3.12')"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python tools/requirements.py --dev > $(VENV)/requirements.txt
	$(PIP) -r $(VENV)/requirements.txt
	$(PIP) --no-build-isolation --no-deps -e . $(foreach plugin,$(PLUGINS),-e $(plugin))
	@touch $@

lint: $(STAMP)
	$(BIN)/ruff check .

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

catalogue: $(STAMP)
	$(BIN)/python tools/catalogue.py

wheels: $(STAMP)
	$(BIN)/python tools/wheels.py dist

isolated: $(STAMP)
	$(BIN)/python tools/isolated.py --jobs 2

# Everything that needs a GPU, in one run; the table is written to benchmarks/gpu.md. Further words: make gpu-check
# ARGS="--data mnist.npz"; what they may be: .venv/bin/python tools/gpu_check.py --help
gpu-check: $(STAMP)
	$(BIN)/python tools/gpu_check.py --install $(ARGS)

check:
	bash .ci/run

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
