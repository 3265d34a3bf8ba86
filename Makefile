# Two commands: `make run` and `make test`. A machine needs Python 3.11 and make, nothing else.

VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test lint types bench e2e messages requirements clean

help:
	@echo "make run    start the portal; PORTAL_PORT chooses the port, PORTAL_DATA_DIR the folder"
	@echo "make test   lint, types and tests; uses PostgreSQL and Redis where they answer"
	@echo "make lint | types | e2e | bench | messages | requirements | clean"

run: $(VENV)/.installed
	@exec $(BIN)/python manage.py portal

test: lint types
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

e2e: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m browser

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks

# Written only when everything is in: an interrupted installation goes on with the next start.
$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo "Installing requirements.txt into $(VENV); this happens once and takes some minutes."
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements.txt | $(BIN)/python
	@echo "Installing requirements-dev.txt into $(VENV); this happens once and takes some minutes."
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-dev.txt
	@touch $(VENV)/.installed $@

$(BIN)/python:
	@for python in python3.11 python3 python; do \
		if $$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then \
			$$python -m venv $(VENV) && exit 0; \
			rm -rf $(VENV); \
			echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3.11-venv" >&2; \
			exit 1; \
		fi; \
	done; \
	echo "The portal needs Python 3.11, and none of python3.11, python3 and python is one." >&2; exit 1

# Collects the strings that are marked for translation and compiles what is translated.
messages: $(VENV)/.installed-dev
	$(BIN)/python -m tools.messages

requirements: $(BIN)/python
	$(BIN)/python -m venv $(VENV)/uv
	$(VENV)/uv/bin/python -m pip install --quiet uv==$(UV_VERSION)
	for name in requirements requirements-dev; do \
		$(VENV)/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-header --no-annotate $$name.in --output-file $$name.txt || exit 1; \
	done
	rm -rf $(VENV)/uv

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
