# make install: a virtual environment with torch, mmcv and this package
# make test:    the tests
# make demo:    Digits-COCO: data, training, evaluation, pictures (10 minutes)
# make tables:  #Param and GFLOPs of Tables 5 and 6 beside the paper's
#
# PYTHON chooses the interpreter, VENV the folder of the environment.
PYTHON ?= python3
VENV ?= .venv
export PYTHON VENV

install:
	@tools/install.sh

test: install
	$(VENV)/bin/python -m pytest tests

demo: install
	$(VENV)/bin/python tools/demo.py

tables: install
	$(VENV)/bin/python tools/reproduce_tables.py complexity

.PHONY: install test demo tables
