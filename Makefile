# `make demo` and `make test` do all the set-up they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Tests run in as many processes; each computes with one thread, and many wait for a page or another process.
WORKERS ?= 3
# Some containers set it. Each process would then compile the package again, and each of pytest all tests: a third of what
# collecting them takes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install demo test test-fast test-portable lint layers format types doctest docs embedded check wheel bench clean

help: ## list what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(INSTALLED) ## install the package with its development tools into .venv

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
# insightface asks for opencv-python, which overwrites the files of opencv-python-headless and needs a screen's libraries.
	$(BIN)/python -m pip uninstall --quiet --yes opencv-python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--force-reinstall --no-deps opencv-python-headless
# Only its weights are used, by one test, which is skipped where the newest Python has no wheel of it.
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps mediapipe==0.10.14
	@touch $@

demo: $(INSTALLED) ## make a sample, score simulated models on it, write tables, plots and a report
	$(BIN)/opens2v demo --out demo-output

# A file stays in one process, which then makes its fixtures once; tests/conftest.py puts the longest files first, by
# tests/durations.json, which `make test ARGS=--write-durations` rewrites.
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

test: $(INSTALLED) ## run all tests
	OMP_NUM_THREADS=1 $(PYTEST) --durations 20 --durations-min 1 $(ARGS)

test-fast: $(INSTALLED) ## run the tests of all files that take less than five seconds
	OMP_NUM_THREADS=1 $(PYTEST) -m "not slow and not browser"

# The tests that compare what networks compute: kernels, and with them the last bits, depend on both.
test-portable: $(INSTALLED) ## compare numbers with the oldest instruction set, and on two threads
	ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 OMP_NUM_THREADS=2 $(BIN)/python -m pytest --quiet \
		--ignore tests/models/faces/test_embedded_faces.py tests/models/yolo_world tests/models/faces tests/models/q_align \
		tests/models/test_clip_prompt.py tests/models/test_contiguous_inputs.py tests/video/test_resize.py

lint: layers $(INSTALLED) ## ruff: style, format; the imports between folders
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(INSTALLED) ## let ruff put the format right
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(INSTALLED) ## mypy
	$(BIN)/mypy

doctest: $(INSTALLED) ## run the examples in the docstrings
	$(BIN)/python -m pytest --quiet --doctest-modules opens2v_hf

layers: $(INSTALLED) ## imports between the folders of the package run one way
	$(BIN)/lint-imports --no-cache

docs: $(INSTALLED) ## build the pages and the API reference into build/docs; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

check: lint types doctest docs test-portable test ## all that CI runs

embedded: $(INSTALLED) ## train the embedded models from nothing (some two and a half hours)
	$(BIN)/python -m opens2v_hf.embedded.training

wheel: $(INSTALLED) ## build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

bench: $(INSTALLED) ## run the benchmarks and write docs/performance.md
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/page.py

clean: ## remove what was made
	rm -rf $(VENV) dist build demo-output .pytest_cache .mypy_cache .ruff_cache
