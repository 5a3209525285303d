# make install: a virtual environment with torch, mmcv-lite, mmdet and this package
# make test:    the tests
# make contract: those of the operators, models, weights, training and tools: what has to
#               hold with every torch and mmcv
# make lint:    style, types, spelling, and which part of the package imports which (1 minute)
# make coverage: the tests, and which lines and branches of the package they do not reach
# make demo:    Digits-COCO: data, training, evaluation, pictures (8 minutes)
# make tables:  Tables 1 to 6: what can be counted, beside the paper's figures
# make benchmark: what a step of ECA-ResNet-50 saves beside the plain ResNet-50's
# make docs:    the documentation as a site, in site/
# make gpu:     on a machine with a GPU: operators, tests, benchmarks and demo on it
#
# make before-release: the three that follow, half an hour
# make drop-in: our backbones, and weights with attention, in every config of mmdet
# make interruptions: trainings that are killed and resumed, of every kind
# make check-docs: runs every command of README.md and docs/ that can run here
# make soak:    kills of trainings for SOAK_MINUTES (120), a line for each in
#               work_dirs/soak/trials.jsonl
#
# PYTHON chooses the interpreter, VENV the folder of the environment, TORCH_VERSION=2.14.1
# another torch, FORK=1 the maintained fork of mmcv, mmengine and mmdet.
PYTHON ?= python3
VENV ?= .venv
export PYTHON VENV

install:
	@tools/install.sh

PYTEST = OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest \
	--numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: install
	$(PYTEST)

CONTRACT = tests/operators tests/models tests/ops tests/weights tests/training tests/tools \
	tests/test_import.py tests/test_dependencies.py tests/test_configs.py

contract: install
	$(PYTEST) $(CONTRACT)

coverage: install
	$(PYTEST) --cov

# Its tools are installed on first use; when setup.py changes, `install` makes $(VENV) anew.
lint: install
	@[ -x $(VENV)/bin/lint-imports ] || $(VENV)/bin/python -m pip install --quiet \
		--disable-pip-version-check --no-build-isolation --use-pep517 --editable '.[lint]'
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/mypy
	$(VENV)/bin/codespell
	$(VENV)/bin/bandit --quiet --configfile pyproject.toml --recursive mmdet_eca mmcv_operators tools setup.py
	$(VENV)/bin/shellcheck tools/*.sh .ci/run .ci/*.sh

# Two processes: their tests print what they count, which xdist would not show.
DROP_IN = OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -m slow \
	tests/models/backbones/test_drop_in.py \
	tests/models/backbones/test_add_attention_drop_in.py

drop-in: install
	$(DROP_IN) -k 'not losses' & others=$$!; $(DROP_IN) -k losses && wait $$others

interruptions: install
	$(PYTEST) -m slow tests/training tests/soak tests/same_answer

SOAK_MINUTES ?= 120

soak: install
	$(VENV)/bin/python -m tests.soak --minutes $(SOAK_MINUTES)

before-release:
	$(MAKE) drop-in
	$(MAKE) interruptions
	$(MAKE) check-docs

demo: install
	$(VENV)/bin/python tools/demo.py

tables: install
	$(VENV)/bin/python tools/reproduce_tables.py complexity --table 1 2 3 4 5 6

# Small, for the activations that are saved; times need the real size, see
# docs/performance.md.
benchmark: install
	$(VENV)/bin/python tools/benchmark.py model --backbone-only --size 480 768 \
		--rounds 1 --max-saved 0.70 configs/mask_rcnn_r50_fpn_1x.py \
		configs/mask_rcnn_eca_r50_fpn_1x.py

gpu:
	@tools/gpu.sh

docs: install
	@test -x $(VENV)/bin/mkdocs || $(VENV)/bin/python -m pip install --quiet \
		--no-build-isolation --use-pep517 --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build

check-docs: install
	$(VENV)/bin/python -m tests.docs

.PHONY: install test contract coverage lint drop-in interruptions soak before-release demo \
	tables benchmark gpu docs check-docs
