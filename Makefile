# Everything starts here. `make help` lists the targets; each sets up what it needs, the first time.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON_RANGE := >=3.11,<3.14
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
export UV_PYTHON_DOWNLOADS := never
# A uv of our own must be found by the product too: it fetches speech models with it.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/bin:$(PATH)

say = @printf '\033[1m▸ %s\033[0m\n' "$(1)"

.PHONY: help setup parts parts-n8n demo demo-n8n n8n serve test check format bench clean lock

help: ## what there is to make
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  \033[1mmake %-9s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: parts ## place a call through a real Asterisk and listen to both sides (var/demo/)
	$(call say,Placing a call)
	@trunkline demo

demo-n8n: parts-n8n ## the same call, its words by a workflow in a real n8n (var/demo-n8n/)
	$(call say,Placing a call that n8n answers)
	@trunkline demo --n8n --output var/demo-n8n

n8n: parts-n8n ## an n8n of your own with our workflows, until `trunkline n8n stop`
	@# Only the first time: what you have made of them since is yours.
	@test -e var/n8n/webhooks.json || trunkline n8n import configs/n8n-*.json
	@trunkline n8n start

serve: parts ## the service on 127.0.0.1:3030, with the settings in trunkline.toml
	@trunkline serve

test: parts ## all tests, real calls through a real Asterisk included (and a real n8n, after `make parts-n8n`)
	$(call say,Running the tests)
	@# Most of the time a test waits for the clock of a call: two at a time. Long files are not the last ones.
	@python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore=tests/real_n8n
	@# n8n takes both cores for itself.
	@python -m pytest tests/real_n8n

check: setup ## format, lint, types and the direction of imports
	$(call say,Checking)
	@ruff format --check -q . || { echo "Run 'make format'."; exit 1; }
	@ruff check -q .
	@mypy
	@lint-imports --no-cache | tail -n 4

format: setup ## put the code into shape
	@ruff format . && ruff check --fix .

bench: parts ## what the person hears and what it costs, on the RTP (var/bench/results.json)
	$(call say,Measuring)
	@python -m bench

clean: ## remove everything that was set up or made here (not the user's cache)
	@rm -rf .venv .tools var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist

lock: $(UV) ## bring the locked requirements up to date
	@$(UV) pip compile -q --universal --generate-hashes --no-header --no-emit-index-url -p 3.11 pyproject.toml \
	  --output-file requirements/base.txt
	@$(UV) pip compile -q --universal --generate-hashes --no-header --no-emit-index-url -p 3.11 --group dev \
	  pyproject.toml --output-file requirements/dev.txt

setup: .venv/.ready

parts: setup
	@trunkline pbx fetch --sounds
	@trunkline speech fetch

parts-n8n: parts ## also n8n (about 3 GB, once)
	@trunkline n8n fetch

# uv itself, where the machine has none: from the package index, hash-checked like everything else
.tools/bin/uv: requirements/tools.txt
	$(call say,Getting uv)
	@python3 -m venv .tools
	@.tools/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/tools.txt
	@touch $@

.venv/.ready: requirements/dev.txt pyproject.toml | $(UV)
	$(call say,Setting up Python and its packages in .venv)
	@test -x .venv/bin/python || $(UV) venv -q --python '$(PYTHON_RANGE)' .venv
	@$(UV) pip sync -q --python .venv/bin/python --require-hashes requirements/dev.txt
	@$(UV) pip install -q --python .venv/bin/python --no-deps --no-build-isolation -e .
	@touch $@
