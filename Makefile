# Two commands do all the set-up on a fresh machine: `make run` and `make test`.
# They need Python 3.11 to 3.14, git and make; everything else goes into .venv.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEV_INSTALLED := $(VENV)/.installed-dev

# torch has no wheels for a newer Python yet, and 3.14.1 breaks the dataclasses of what it needs.
SUITS := import sys; version = sys.version_info[:3]; \
	sys.exit(not (3, 11) <= version < (3, 15) or version == (3, 14, 1))
# The first interpreter that suits; `make PYTHON=/path/to/python3 run` chooses another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c '$(SUITS)' 2>/dev/null && echo $$python && break; done)

# .venv holds the path of this folder, and its packages lie under its Python's version: one that was
# moved or copied, or whose Python has become another, is of no use. The stamp says what it is for.
PLACE := echo "$(CURDIR) \
	$$($(BIN)/python -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null)"
MADE_FOR := $(shell cat $(INSTALLED) 2>/dev/null)
ifneq ($(MADE_FOR),$(shell $(PLACE)))
.PHONY: $(INSTALLED)
OUTLIVED := $(MADE_FOR)
endif

# The large downloads are shown, and pip's errors; the rest is not.
PIP_INSTALL := PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
	$(BIN)/python -m pip install --no-input -c constraints.txt
ONLY_DOWNLOADS := { grep --line-buffered -E '^ *Downloading [^ ]+ \([0-9.]+ [MG]B\)' || true; }

# Debian's packages for the tests in real terminals.
TERMINALS := xterm xvfb kitty tmux openssh-server openssh-client fonts-dejavu-core

.DEFAULT_GOAL := help
.PHONY: help install run test test-terminals terminals pictures soak check bench clean

help:
	@echo 'make run      install what is missing, start sdtui (ARGS="--help": to sdtui)'
	@echo 'make test     install the development tools, run every test (ARGS: to pytest)'
	@echo 'make test-terminals  install real terminals (apt, as root), run tests in them'
	@echo 'make pictures draw the pictures of the README again, in real terminals'
	@echo 'make soak     the long campaigns: kills, ends, 500 pictures, 10,000 parameters'
	@echo 'make check    lint, formatting, types, and who may import whom'
	@echo 'make bench    run the benchmarks (BENCH=first_paint runs one)'
	@echo 'make install  only make .venv and install'
	@echo 'make clean    remove .venv, caches and build output; pictures stay'

install: $(INSTALLED)

run: install
	@$(BIN)/python -m sdtui $(ARGS)

# In a few processes, each with children of its own; ARGS="-n 0" runs all in one.
test: $(DEV_INSTALLED)
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

test-terminals: $(DEV_INSTALLED) terminals
	@$(BIN)/python -m pytest -rs tests/terminals $(ARGS)

# RUNLEVEL=1 keeps the installation from starting an sshd that listens to the world.
terminals:
	@missing=$$(for package in $(TERMINALS); do \
		dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q '^install ok' \
		|| echo $$package; done); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing $$missing." | tr '\n' ' '; echo; \
		apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else echo "Not root, or no apt, so the tests of what is missing are skipped:"; \
		echo "$$missing"; fi

pictures: $(DEV_INSTALLED) terminals
	@$(BIN)/python docs/make_pictures.py
	@SDTUI_PICTURES=docs $(BIN)/python -m pytest -q -rs tests/terminals/test_pictures.py

soak: $(DEV_INSTALLED)
	@SDTUI_KILLS=200 SDTUI_ENDS=25 SDTUI_DEATHS=100 SDTUI_SOAK=500 SDTUI_PARAMETER_SETS=10000 \
		SDTUI_SIZES=1000 $(BIN)/python -m pytest -s --timeout 7200 \
		tests/engine/test_kills.py tests/tui/lives tests/engine/test_soak.py \
		tests/test_parameter_sets.py tests/tui/test_sizes.py $(ARGS)

check: $(DEV_INSTALLED)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(DEV_INSTALLED)
	@failed=0; for file in $(if $(BENCH),benchmarks/$(BENCH).py,benchmarks/[a-z]*.py); do \
		echo "== $$file"; $(BIN)/python $$file $(ARGS) || failed=1; done; exit $$failed

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is younger than what it was installed from, and a failed install leaves none.
$(INSTALLED): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo 'sdtui needs Python 3.11 to 3.14, and none was found on the PATH.' >&2; \
		echo 'Install one, or name it: make PYTHON=/path/to/python3 run' >&2; exit 1; fi
	@if [ -n "$(OUTLIVED)" ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo 'Making .venv with $(PYTHON).'; \
		$(PYTHON) -c '$(SUITS)' \
			|| { echo '$(PYTHON) is no Python from 3.11 to 3.14, or the broken 3.14.1.' >&2; exit 1; }; \
		$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
			echo 'Python could not make a virtual environment; on Debian and Ubuntu,' >&2; \
			echo 'apt install python3-venv brings what is missing.' >&2; exit 1; }; \
		echo 'Installing, once. It takes minutes, for torch alone is from 200 MB (CPU) to'; \
		echo 'some GB (CUDA). Later runs start at once.'; \
	else echo 'Bringing .venv up to date.'; fi
	@rm -f $@
	@set -o pipefail; $(PIP_INSTALL) -e . | $(ONLY_DOWNLOADS)
	@$(BIN)/python -m compileall -q sdtui
	@$(PLACE) > $@

$(DEV_INSTALLED): $(INSTALLED)
	@rm -f $@
	@echo 'Installing the development tools.'
	@set -o pipefail; $(PIP_INSTALL) -e '.[dev]' | $(ONLY_DOWNLOADS)
	@touch $@
