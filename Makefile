# make repro   set up, run the whole pipeline, print the metrics
# make test    set up, run every check that must hold before a merge: lint, types, tests
# make test-long          the tests that make test leaves out, since they take long
# make test-all           both
# make lock    pin the packages anew (needs uv)
# make review BASE=main   parameters, metrics and the mean IoU on the same images against a Git revision, as Markdown
# make check-lock         does dvc.lock fit the code and the parameters?
# make reference          write docs/params.md from the schema
# make bench              all benchmarks; ONLY="training prepare" some of them, ROOT=FOLDER on real images
#
# make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu   takes PyTorch from there: smaller without a GPU

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)
BASE ?= main
TORCH_INDEX ?=
export DVC_NO_ANALYTICS := 1

.PHONY: setup repro test test-long test-all lint lock review check-lock reference clean bench

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed, found " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--index-url $(TORCH_INDEX) $$(grep -E '^torch(vision)?==' requirements.lock | cut -d' ' -f1))
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

repro: setup
	dvc repro
	@ae-pretrained summary

lint: setup
	ruff check .
	ruff format --check .
	mypy

# One process a core; each keeps to one thread (tests/conftest.py) and runs whole files, in which tests share much.
WORKERS ?= auto
PYTEST := python -m pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder

test: setup lint
	$(PYTEST) -m "not long"

test-long: setup
	$(PYTEST) -m long

test-all: test test-long

bench: setup
	python -m benchmarks $(ONLY) $(if $(ROOT),--root $(ROOT))

lock:
	uv pip compile --quiet --universal --python-version 3.10 --extra dev --no-annotate --no-header \
		--constraint constraints.txt pyproject.toml \
		| grep -vE '^(nvidia-|cuda-|triton)' > requirements.lock

review: setup
	@python -m tools.review --base '$(BASE)'

check-lock: setup
	@python -m tools.check_lock

reference: setup
	python -m tools.params_reference --write

clean:
	rm -rf $(VENV) .checkpoints
