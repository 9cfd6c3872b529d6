# `make` lists the targets. Everything that is made or run goes to .venv/ and runs/, which git ignores.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN_PYTHON := $(abspath $(BIN)/python)
TASK ?= Task04_Hippocampus
BUNDLE := $(abspath bundles/msd_task04_hippocampus)
# What `make run` trains: DATA=<MSD task folder> for real data, phantoms otherwise.
DATA ?=
RUN_DIR = $(abspath runs/$(if $(DATA),$(notdir $(abspath $(DATA))),main))
LABEL_VENV := .venv-label
# What `make label` serves is told by TASK; STUDIES=<folder of images>; LABEL_OPTIONS: see python -m seat_components label -h
STUDIES ?=
LABEL_OPTIONS ?=

.DEFAULT_GOAL := help
.PHONY: help env run test fuzz kills lint bench data bundles options rooms bundle-zips dist label label-env clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

env: $(READY)  ## make the environment in .venv

# torchattacks asks for torchvision, which it does not import and whose stock builds are for CUDA, and for requests 2.25.
$(READY): setup.cfg constraints.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[report,corruptions,export,tracking,dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps torchattacks
	touch $@

run: $(READY)  ## train Task04 with SEAT, evaluate, attack, report (DATA=<MSD task folder> for real data)
	$(BIN)/python -m seat_components demo --bundle $(BUNDLE) --out $(RUN_DIR) $(if $(DATA),--data $(abspath $(DATA)))

# Tests work on small tensors, where a second thread costs more than it gives: one process a core, one thread each.
# They come in the order of tests/conftest.py, files with the most slow tests first.
test: $(READY)  ## run all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

fuzz: $(READY)  ## many more inputs for every law about files, records, values and requests
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz.py

kills: $(READY)  ## kill runs at random moments, resume them, compare with undisturbed ones (an hour on two cores)
	OMP_NUM_THREADS=1 $(BIN)/python tests/kills.py

lint: $(READY)  ## check style, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

bench: $(READY)  ## measure the network against its stock form; writes docs/benchmarks.md
	$(BIN)/python -m tools.benchmark --out docs/benchmarks.md

data: $(READY)  ## download an MSD task with MONAI (TASK=Task04_Hippocampus) to runs/data
	mkdir -p runs/data
	$(BIN)/python -c "from monai.apps import DecathlonDataset as D; D('runs/data', '$(TASK)', 'training', download=True, cache_rate=0.0)"

bundles: $(READY)  ## render the bundles from the template and the task table
	$(BIN)/python -m seat_components bundles

options: $(READY)  ## write docs/options.md from the table of options and the bundles
	$(BIN)/python -m tools.options_page --out docs/options.md

rooms: $(READY)  ## draw the rooms of the package from the imports, for docs/architecture.md
	$(BIN)/python -m tools.rooms --out docs/images/rooms.svg

bundle-zips: $(READY)  ## one zip per bundle in dist/, the same bytes every time
	$(BIN)/python -m seat_components zips --out dist

# What setuptools has left in build/ from before would come into the wheel.
dist: $(READY)  ## write wheel and source archive of the package to dist/
	rm -rf build
	$(BIN)/python -c "from setuptools import build_meta as b; print(b.build_sdist('dist'), b.build_wheel('dist'))"
	rm -rf build

label-env: $(READY)  ## make MONAI Label's environment in .venv-label
	$(BIN)/python -m seat_components label-env --env $(LABEL_VENV)

label: label-env  ## serve a task with MONAI Label (TASK=Task04_Hippocampus STUDIES=<folder of images>)
	@test -n "$(STUDIES)" || { echo 'Name the folder with the images: make label TASK=$(TASK) STUDIES=<folder>'; exit 1; }
	$(BIN)/python -m seat_components label --env $(LABEL_VENV) --tasks $(TASK) --studies "$(STUDIES)" --init $(LABEL_OPTIONS)

clean:  ## remove the environment and all runs
	rm -rf $(VENV) $(LABEL_VENV) runs dist
