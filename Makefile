# Two commands do everything: make demo, make test.
PYTHON ?= python3
# named exactly: a bare torch may bring gigabytes of CUDA
TORCH ?= torch==2.13.0
export PIP_DISABLE_PIP_VERSION_CHECK = 1
STARTED := $(shell date +%s)

.PHONY: demo test test-all lint docs format clean

demo: .venv/installed  ## read examples/ with the shipped models
	.venv/bin/crnn-ctc predict examples/photos examples/plates --save demo/plates
	.venv/bin/crnn-ctc predict --model digits-tiny examples/digits --save demo/digits
	@echo "annotated pictures: $(CURDIR)/demo"

# a process a core, each with one thread; the tests of a file stay together, with what they share
PYTEST = OMP_NUM_THREADS=1 .venv-dev/bin/python -m pytest -n auto --dist loadscope --durations=15

test: lint  ## lint, types and tests
	$(PYTEST)
	@echo "make test: $$(($$(date +%s) - $(STARTED))) s in all"

test-all: lint  ## and those that kill, fuzz or train for longer
	$(PYTEST) -m ""

lint: .venv-dev/installed
	.venv-dev/bin/ruff check .
	.venv-dev/bin/ruff format --check .
	.venv-dev/bin/mypy

# with --quiet, --strict would count no warnings
docs: .venv-docs/installed  ## the documentation as pages, in site/
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs build --strict
	@echo "open $(CURDIR)/site/index.html"

# for reading: no torch
.venv/installed: pyproject.toml $(shell find src -name '*.py' -o -name '*.onnx' -o -name '*.toml' -o -name '*.?tf')
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --upgrade pip
	.venv/bin/pip install --quiet --force-reinstall --no-deps .
	.venv/bin/pip install --quiet .
	@touch $@

# for the documentation: no torch
.venv-docs/installed: pyproject.toml
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip install --quiet --upgrade pip
	.venv-docs/bin/pip install --quiet --editable ".[docs]"
	@touch $@

# for training, tests and work on the package itself
.venv-dev/installed: pyproject.toml
	$(PYTHON) -m venv .venv-dev
	.venv-dev/bin/pip install --quiet --upgrade pip
	.venv-dev/bin/pip install --quiet "$(TORCH)"
	.venv-dev/bin/pip install --quiet --editable ".[train,dev]"
	@touch $@

format: .venv-dev/installed
	.venv-dev/bin/ruff check --fix .
	.venv-dev/bin/ruff format .

clean:
	rm -rf .venv .venv-dev .venv-docs demo build dist site
