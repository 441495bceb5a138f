# make demo   the main job on real data, from a fresh clone
# make test   linters, types and the whole suite (under 10 minutes on 2 cores)
# make help   the rest

PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test test-full bench lint programs docs damage-table wire manifest clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

demo: .venv/run.stamp ## convert a real v2 data dir from samples/ and verify the result
	@.ci/demo

test: lint programs ## linters, types, imports, and every test but the long ones
	$(PYTEST)

test-full: lint programs ## the same with the long corpora (under an hour)
	$(PYTEST) --full

bench: programs ## side by side with the real tools, as ratios
	$(BIN)/pytest --bench -s tests/bench

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# where they can't be had the tests that need real programs skip and say so; in CI that is a failure, here already
programs: .venv/dev.stamp ## build the real etcd programs into the cache folder
	.ci/bootstrap go || test "$$CI" != true
	$(BIN)/python tests/support/real.py --build || test "$$CI" != true

docs: .venv/dev.stamp ## write docs/reference/cli.md from the commands' help
	@mkdir -p docs/reference
	$(BIN)/python -m etcdtool.cli.reference > docs/reference/cli.md.new
	mv docs/reference/cli.md.new docs/reference/cli.md

damage-table: programs ## judge the damage corpus anew and write docs/reference/damage.md (long when cold)
	$(BIN)/python tests/support/damage_corpus.py --run --seed $(or $(SEED),0)
	$(BIN)/python tests/support/damage_corpus.py > docs/reference/damage.md

wire: .venv/dev.stamp ## write the protobuf modules from the .proto files
	$(BIN)/python tests/support/generate_wire.py

manifest: .venv/dev.stamp ## write samples/MANIFEST.toml
	$(BIN)/python samples/manifest.py

clean: ## take away everything that was made here, .venv too
	rm -rf .venv build dist demo-out *.egg-info .*_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/run.stamp: pyproject.toml .ci/bootstrap
	PYTHON=$(PYTHON) .ci/bootstrap run
	@touch $@

.venv/dev.stamp: .venv/run.stamp
	.ci/bootstrap dev
	@touch $@
