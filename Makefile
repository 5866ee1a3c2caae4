# Everything here works on a fresh machine with Python >= 3.11 and make. PYTHON=... chooses another Python.
PYTHON ?= python3
STACK := dev
CHART :=
KEEP :=
# UPGRADE=1 is FROM=HEAD: the committed program first, then the working tree over it.
UPGRADE :=
FROM = $(if $(UPGRADE),HEAD)
NODES :=
VENV := .venv
RUN := $(VENV)/bin/python
# Also where the ambient setting says not to: without compiled files every start of the program takes 3 s more.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help rehearse rehearse-stop test lint types unit engine bench test-newest toolchain clean

help:
	@echo 'make rehearse [STACK=dev] [CHART=path] [KEEP=1]   bring a stack up on a throwaway Kubernetes'
	@echo 'make rehearse UPGRADE=1 [FROM=revision]           the committed program first, then the working tree over it'
	@echo 'make rehearse NODES=pool=core,disk=ssd            give the simulated nodes these labels'
	@echo 'make rehearse-stop                                remove what KEEP=1 left'
	@echo 'make test                                         lint, types, unit tests, engine tests'
	@echo 'make unit | engine | lint | types                 one part of it'
	@echo 'make bench                                        what the check in previews costs, in seconds'
	@echo 'make test-newest                                  the unit tests with the newest published Pulumi'
	@echo 'make toolchain                                    get the programs of a rehearsal, and say where they are'
	@echo 'make clean                                        remove the environments of this folder'

rehearse: $(VENV)/ready
	@$(RUN) -m rehearsal run --stack '$(STACK)' $(if $(CHART),--chart '$(CHART)') $(if $(FROM),--from '$(FROM)') $(if $(NODES),--nodes '$(NODES)') $(if $(KEEP),--keep)

rehearse-stop: $(VENV)/ready
	@$(RUN) -m rehearsal stop

toolchain: $(VENV)/ready
	@$(RUN) -m rehearsal toolchain

test: lint types unit engine

lint: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-logo

types: $(VENV)/ready
	$(VENV)/bin/mypy

unit: $(VENV)/ready
	$(RUN) -m pytest tests/unit --numprocesses 2

engine: toolchain
	$(RUN) -m pytest tests/engine --numprocesses 4 --dist loadgroup

bench: $(VENV)/ready
	@$(RUN) -m rehearsal bench

# An environment of its own, with no pins of ours, so that a release which breaks the program is seen here first.
test-newest: .venv-newest/ready
	.venv-newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager pulumi pulumi-kubernetes pulumi-random
	.venv-newest/bin/python -m pip list | grep -i '^pulumi'
	.venv-newest/bin/python -m pytest tests/unit -m 'not pinned'

.venv-newest/ready: pyproject.toml
	@$(MAKE) --no-print-directory python-check
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet '.[tests]'
	@touch $@

$(VENV)/ready: pyproject.toml
	@$(MAKE) --no-print-directory python-check
	@echo 'Python packages: installing into $(VENV) (about a minute)'
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet '.[rehearsal,tests]'
	@touch $@

.PHONY: python-check
python-check:
	@command -v $(PYTHON) >/dev/null || { echo "error: no $(PYTHON) on PATH. Expected: Python 3.11 or newer. Example: make rehearse PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) --version) is too old. Expected: Python 3.11 or newer. Example: make rehearse PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: this Python cannot make environments. Expected: the module venv. Example (Debian, Ubuntu): sudo apt install python3-venv"; exit 2; }

clean:
	rm -rf $(VENV) .venv-newest .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
