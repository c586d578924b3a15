# Needs make, bash and python3 >= 3.11 with venv. Everything else comes from the locks, into .venv.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
# Three for two cores: a desk in a process of its own is waited for half of the time.
JOBS ?= 3
N ?= 30
PEERS_ONLY ?=
PEERS := freqtrade==2026.9 smartmoneyconcepts==0.0.27
BIN := .venv/bin
RUNTIME := .venv/.runtime
DEV := .venv/.dev
PEERS_READY := .venv/peers/.ready
CODE = $(wildcard chatbot handlers storage trading tests bench)

# uv does not read pip's configuration; this hands it over, unless uv was told something itself.
# Where pip has several indexes it takes the best match of all: so does uv then, and hashes decide.
define LIKE_PIP
like_pip() {
    local said key name value
    said=$$($(BIN)/pip config list 2>/dev/null)
    for key in index-url:UV_DEFAULT_INDEX extra-index-url:UV_INDEX find-links:UV_FIND_LINKS \
        trusted-host:UV_INSECURE_HOST timeout:UV_HTTP_TIMEOUT cert:SSL_CERT_FILE; do
        name=$${key#*:}
        value=$$(sed -nE "s/^(:env:|global|install)\.(default-)?$${key%:*}='(.*)'$$/\3/p" <<<"$$said" | head -n 1)
        if [ -n "$$value" ] && [ -z "$${!name:-}" ]; then export "$$name=$${value//\\n/ }"; fi
    done
    if [ -n "$${UV_INDEX:-}" ]; then export UV_INDEX_STRATEGY="$${UV_INDEX_STRATEGY:-unsafe-best-match}"; fi
}
like_pip
endef

.PHONY: help setup dev run test check docs lock bench bench-peers bench-readme soak release clean

help:  ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 20

setup: $(RUNTIME)  ## set up .venv with all that runs
	@echo "Set up: $(BIN)/quarterdeck"

dev: $(DEV)  ## the same, and what tests and checks need
	@echo "Set up, with the tools of make test and make check"

run: $(RUNTIME)  ## set up and run the desk; ARGS="--for 60"
	@exec $(BIN)/quarterdeck run $(ARGS)

test: $(DEV)  ## set up and run the tests; ARGS="-k stop"
	@exec $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not soak" --durations=10 $(ARGS)

check: $(DEV)  ## lint, formatting, types
	@$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy $(CODE)

docs: $(RUNTIME)  ## write docs/commands.md from the commands, docs/exchanges.md from the exchanges
	@exec $(BIN)/python -m chatbot.cli.docs

bench: $(DEV)  ## measure, print a table, write bench/latest.json
	@exec $(BIN)/python -m bench $(ARGS)

bench-readme: $(DEV)  ## write README's table of what is measured from bench/latest.json
	@exec $(BIN)/python -m bench.readme

bench-peers: $(DEV) $(PEERS_READY)  ## measure freqtrade and smartmoneyconcepts beside us; PEERS_ONLY="status start"
	@BENCH_PEERS="$(PEERS_ONLY)" exec $(BIN)/python -m bench peers

soak: $(DEV)  ## the long tests; N=100 rounds
	@QUARTERDECK_SOAK=$(N) exec $(BIN)/python -m pytest -m soak $(ARGS)

lock: $(BIN)/uv  ## resolve the locks anew from pyproject.toml; ARGS="--upgrade"
	@$(LIKE_PIP)
	unset UV_INDEX UV_FIND_LINKS  # a lock needs every file of a release, not only those kept nearby
	compile() {
	    $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	        --no-emit-index-url --no-annotate --custom-compile-command "make lock" "$$@" pyproject.toml
	    echo "$${@: -1}: $$(grep -c == "$${@: -1}") packages"
	}
	compile --group build $(ARGS) -o requirements.lock
	compile --group build --group dev -c requirements.lock $(ARGS) -o requirements-dev.lock
	if grep -iE '^(pandas|polars)==' requirements*.lock; then
	    echo "TA-Lib would load these at every start: keep them out of the locks" >&2
	    exit 1
	fi

release: $(DEV)  ## build the wheel and try it in an empty venv
	@$(LIKE_PIP)
	rm -rf dist
	$(BIN)/hatchling build -t wheel
	place=$$(mktemp -d)
	trap 'rm -rf "$$place"' EXIT
	$(PYTHON) -m venv --without-pip "$$place/venv"
	export VIRTUAL_ENV="$$place/venv"
	$(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --offline dist/*.whl
	cp bot.toml "$$place"  # the operator's file goes beside, not inside
	cd "$$place"
	venv/bin/quarterdeck --version
	venv/bin/quarterdeck run --for 3 </dev/null
	echo "The wheel runs: $$(cd "$(CURDIR)" && ls dist/*.whl)"

clean:  ## remove .venv, caches and builds; never a state folder
	@rm -rf .venv dist build .mypy_cache .ruff_cache .hypothesis

# uv itself comes by pip, of the version and hashes in the lock.
$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
	    echo "Quarterdeck needs Python 3.11 or newer; $(PYTHON) is: $$($(PYTHON) --version 2>&1)." \
	        "Another one: make PYTHON=python3.12 ..." >&2
	    exit 1
	}
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || {
	    echo "$(PYTHON) cannot make virtual environments: sudo apt install python3-venv" >&2
	    exit 1
	}
	echo "Making .venv with $$($(PYTHON) --version)"
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes \
	    -r <(sed -n '/^uv==/,/[^\\]$$/p' requirements.lock)
	echo "Made after $$SECONDS s"

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/uv
	@$(LIKE_PIP)
	echo "Installing what runs (requirements.lock)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --offline -e .
	touch $@
	echo "Ready after $$SECONDS s"

$(DEV): requirements-dev.lock $(RUNTIME)
	@$(LIKE_PIP)
	echo "Installing what tests need (requirements-dev.lock)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	touch $@
	echo "Ready after $$SECONDS s"

# What we are measured against; pandas and much else comes with it, so it is in no lock.
$(PEERS_READY): Makefile | $(BIN)/uv
	@$(LIKE_PIP)
	echo "Installing $(PEERS)"
	$(PYTHON) -m venv --without-pip --clear .venv/peers
	$(BIN)/uv pip install --quiet --compile-bytecode --python .venv/peers/bin/python $(PEERS)
	touch $@
