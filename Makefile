# Everything here works on a fresh machine with Python >= 3.11 and make. PYTHON=... chooses another Python.
# What can be set, on the command line or in the environment:
SETTINGS := STACK CHART KEEP UPGRADE FROM NODES RUN PYTHON BINDERHUB_REHEARSAL_CACHE
TARGETS := help rehearse rehearse-stop test lint types unit engine bench test-newest toolchain clean
STACK ?= dev
PYTHON ?= python3
# UPGRADE=1 is FROM=HEAD: the committed program first, then the working tree over it.
revision = $(or $(FROM),$(if $(call on,$(UPGRADE)),HEAD))
# Not .venv: that is the user's own, which the README makes for deploying.
VENV := .venv-rehearsal
PACKAGES := $(VENV)/rehearsal-$(subst /,_,$(PYTHON))
TESTS := $(VENV)/tests
python := $(VENV)/bin/python
# Also where the ambient setting says not to: without compiled files every start of the program takes 3 s more.
export PYTHONDONTWRITEBYTECODE :=

# Of flags such as KEEP: whether one is set.
on = $(filter-out 0 no false off,$(1))
# A value for the shell.
quoted = '$(subst ','\'',$(1))'
option = $(if $(2),$(1) $(call quoted,$(2)))

# What is misspelt is refused: `make rehearse stack=prod` and `make rehearse prod` must not rehearse dev. The environment
# may hold anything, so there only our own names in small letters are looked for.
given := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
lower := $(shell echo '$(SETTINGS)' | tr '[:upper:]' '[:lower:]')
misspelt := $(filter-out $(SETTINGS) MAKEFLAGS SHELL,$(given)) \
  $(if $(filter rehearse%,$(MAKECMDGOALS)),$(foreach name,$(lower),$(if $(filter environment,$(origin $(name))),$(name))))
ifneq ($(strip $(misspelt)),)
  $(error there is no variable $(strip $(misspelt)). Expected: some of $(SETTINGS). Example: make rehearse STACK=prod)
endif
ifneq ($(filter-out $(TARGETS) .venv% python-check,$(MAKECMDGOALS)),)
  $(error there is no target $(filter-out $(TARGETS),$(MAKECMDGOALS)). Expected: one of $(TARGETS). Example: make rehearse STACK=prod)
endif

.PHONY: $(TARGETS)

help:
	@echo 'make rehearse [STACK=dev] [CHART=path] [KEEP=1]   bring a stack up on a throwaway Kubernetes'
	@echo 'make rehearse UPGRADE=1 [FROM=revision]           the committed program first, then the working tree over it'
	@echo 'make rehearse NODES=pool=core,disk=ssd            give the simulated nodes these labels'
	@echo 'make rehearse-stop [RUN=name]                     remove what KEEP=1 left in this folder'
	@echo 'make test                                         lint, types, unit tests, engine tests'
	@echo 'make unit | engine | lint | types                 one part of it'
	@echo 'make bench                                        a warm rehearsal and the check in previews, in seconds'
	@echo 'make test-newest                                  the unit tests with the newest published Pulumi'
	@echo 'make toolchain                                    get the programs of a rehearsal, and say where they are'
	@echo 'make clean                                        remove the environments that these commands made'

rehearse: $(PACKAGES)
	@$(python) -m rehearsal run --stack $(call quoted,$(STACK)) $(call option,--chart,$(CHART)) $(call option,--from,$(revision)) $(call option,--nodes,$(NODES)) $(if $(call on,$(KEEP)),--keep)

rehearse-stop: $(PACKAGES)
	@$(python) -m rehearsal stop $(call option,--run,$(RUN))

toolchain: $(PACKAGES)
	@$(python) -m rehearsal toolchain

test: lint types unit engine

lint: $(TESTS)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-logo

types: $(TESTS)
	$(VENV)/bin/mypy

unit: $(TESTS)
	$(python) -m pytest tests/unit --numprocesses 2

engine: toolchain $(TESTS)
	$(python) -m pytest tests/engine --numprocesses 4 --dist loadgroup

bench: $(PACKAGES)
	@$(python) -m rehearsal bench

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

$(PACKAGES): pyproject.toml
	@$(MAKE) --no-print-directory python-check
	@echo 'Once in this folder: Python packages into $(VENV), about a minute, 0.2 GB on disk.'
	@echo 'Once on this machine, after that: the programs of a rehearsal. With internet they are downloaded, 0.4 GB;'
	@echo 'else they are built, which takes 15 minutes or more on two cores, 8 GB while it lasts and 0.6 GB after it.'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(python) -m pip install --quiet '.[rehearsal]'
	@touch $@

$(TESTS): $(PACKAGES)
	@echo 'Once in this folder: the packages of the tests into $(VENV), half a minute, 0.4 GB on disk.'
	@$(python) -m pip install --quiet '.[rehearsal,tests]'
	@touch $@

.PHONY: python-check
python-check:
	@command -v $(PYTHON) >/dev/null || { echo "error: no $(PYTHON) on PATH. Expected: Python 3.11 or newer. Example: make rehearse PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) --version) is too old. Expected: Python 3.11 or newer. Example: make rehearse PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: this Python cannot make environments. Expected: the module venv. Example (Debian, Ubuntu): sudo apt install python3-venv"; exit 2; }

clean:
	rm -rf $(VENV) .venv-newest .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
