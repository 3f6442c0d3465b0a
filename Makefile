# The two commands of the README, and what CI runs. Set-up happens once, in .venv; nothing else is touched.
PYTHON ?= python3
BIN := .venv/bin
export PROMPT ?= a photo of a dog

.PHONY: generate test test-all test-everywhere check docs coverage bench clean

generate: .venv/generate
	@$(BIN)/clipsonic generate "$$PROMPT"

# A process a core, each with one thread: two threads on two cores beside each other mostly wait.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup

# Proof within minutes, on any machine.
test: .venv/ready
	$(PYTEST) -m "not slow and not browser and not processes and not docs"

# All of it: browsers, several processes, the site and the notebooks too.
test-all: .venv/ready
	$(PYTEST)

# The quick tests where machines differ: see the script.
test-everywhere: .venv/ready
	tests/everywhere.sh

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The documentation site, in site/; it can be opened as files.
docs: .venv/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

coverage: .venv/ready
	$(BIN)/python -m pytest --cov --cov-report=term --cov-report=html

# Ours and the peers', in turn; the peers' packages go to .bench, beside nothing else.
bench: .venv/ready
	@test -d .bench/bigvgan || $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target .bench \
		bigvgan==2.4.1 librosa || echo "the peers could not be fetched: their rows will say so"
	$(BIN)/python -m benchmarks.speed --peers .bench

PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.venv/generate: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "clipsonic needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ..."; exit 2; }
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	@touch $@

# What only tests and developers need.
.venv/ready: .venv/generate
	$(PIP) -e ".[dev]"
	@touch $@

clean:
	rm -rf site htmlcov .coverage .venv .bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
