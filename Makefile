# Everything a newcomer runs. Each target sets up what it needs by itself.

PYTEST_ARGS ?=

.PHONY: help demo test check fuzz bench lock messages screenshots clean image faults

help:
	@echo "make demo         a whole call centre on this machine, with real SIP calls (ONCE=1: end after them)"
	@echo "make test         check and the whole test suite, against a real Asterisk and PostgreSQL (WORKERS=2: faster)"
	@echo "make check        lint, types, import contracts"
	@echo "make fuzz         made-up input for FUZZ_SECONDS (600); FUZZ_SEED finds a failure again"
	@echo "make bench        ours beside yardsticks, in one run; writes docs/benchmarks.md (BENCH_ARGS=--quick)"
	@echo "make faults       breaks everything under real calls; writes docs/faults.md (FAULTS='clock journal')"
	@echo "make image        build the container images (docker or buildah)"
	@echo "make clean        remove what the targets above have made, the demo's data included"

demo: .venv/.ready
	@.venv/bin/callctl demo $(if $(STATE),--state-dir $(STATE)) $(if $(filter-out 0,$(ONCE)),--once)

# One process, in one order. WORKERS=2 takes half the time, in an order of its own each time.
test: check
	$(if $(WORKERS),scripts/test,.venv/bin/pytest) $(PYTEST_ARGS)

check: .venv/.ready
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache

# In `make test` its short form.
fuzz: .venv/.ready
	@.venv/bin/python -m tests.fuzz $(PYTEST_ARGS)

bench: .venv/.ready
	@.venv/bin/python -m bench $(BENCH_ARGS)

faults: .venv/.ready
	@.venv/bin/python -m tests.faults $(FAULTS)

# The stamp is as new as what it was made from.
.venv/.ready: requirements.lock pyproject.toml scripts/prepare scripts/assets web/package-lock.json web/icons.txt
	@scripts/prepare
	@touch $@

# Three files with the same versions: to work on it, to run it, to build its package.
COMPILE = .venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --quiet

lock: .venv/.ready
	$(COMPILE) --extra dev pyproject.toml --output-file requirements.lock
	$(COMPILE) --constraint requirements.lock pyproject.toml --output-file requirements-runtime.lock
	printf 'hatchling\nsetuptools\n' | $(COMPILE) --constraint requirements.lock - \
	    --output-file requirements-build.lock

# New texts of the console into its catalogues, to be translated there.
messages: .venv/.ready
	scripts/messages

# The pictures of docs/console.md, made anew of the pages as they are.
screenshots: .venv/.ready
	CALLCTL_SCREENSHOTS=$(CURDIR)/docs/screenshots .venv/bin/pytest -k pictures \
	    tests/console/test_every_page.py tests/asterisk/scenarios/test_pictures.py

image: .venv/.ready
	scripts/image

clean:
	rm -rf .venv .callctl build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
