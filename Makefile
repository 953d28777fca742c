# firstline: set up, run, test. `make` alone lists what there is.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# most tests wait for servers, clocks and processes of their own, so that two at once take half the time; in the order of their folders
# the slow ones begin early, and none of the two waits for the other at the end
WORKERS ?= 2
# six labs wait most of their time, too, and keep two cores busy
LABS ?= 6
PO     := $(wildcard reports/locale/*/LC_MESSAGES/*.po)

.DEFAULT_GOAL := help
.PHONY: help run test test-long lint bench bench-audit bench-simulator accuracy lab-packages lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 16

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("firstline needs Python >= 3.11, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "venv is missing: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.texts: $(STAMP) $(PO)
	@$(BIN)/python reports/locale/build.py
	@touch $@

run: $(VENV)/.texts ## start the agent here: measures this machine, page and metrics on 127.0.0.1:8470
	$(BIN)/firstline run --state-dir .firstline

test: $(VENV)/.texts ## the whole CI set of tests
	@if [ "$$CI" = true ]; then $(MAKE) --no-print-directory lab-packages; fi
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-long: $(VENV)/.texts ## what takes more than minutes: 200 kills, 10,000 targets
	$(BIN)/python -m pytest -q -s -m long -o faulthandler_timeout=3000

lint: $(VENV)/.texts ## ruff and mypy, strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.texts ## figures beside fping, blackbox_exporter and node_exporter, in one run
	$(BIN)/python -m bench

bench-audit: $(VENV)/.texts ## figures of the billing audit beside DuckDB and datacompy, in one run
	$(BIN)/python -m bench.audit

bench-simulator: $(VENV)/.texts ## how well faults are found in simulated networks, beside published methods
	$(BIN)/python -m bench.simulator

accuracy: $(VENV)/.texts ## every fault of the lab around the running agent, into docs/accuracy.md (root; an hour and a half, goes on where it was)
	$(BIN)/python -m tests.lab.accuracy --machine-wide --pairs 60 --quiet 30 --labs $(LABS) --page docs/accuracy.md
	$(BIN)/python -m tests.lab.complaining --page docs/accuracy.md
	$(BIN)/python -m tests.lab.agreeing --labs $(LABS) --page docs/accuracy.md

lab-packages: ## install the system programs that some tests and benches use (Debian; root)
	@.ci/lab-packages

lock: ## pin the dependencies again (needs uv); the file names no host
	uv pip compile pyproject.toml --all-extras --universal --generate-hashes --python-version 3.11 \
	  --no-emit-index-url --no-emit-find-links --no-header --quiet -o requirements.lock

clean: ## remove what was built here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
