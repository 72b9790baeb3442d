# Two commands do everything on a machine that has python3 (3.11 or newer), git and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test test-slow format clean

run: .venv/.installed
	$(BIN)/python scripts/simulate.py

test: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/python -m pytest

test-slow: .venv/.installed-test
	$(BIN)/python -m pytest -m slow

format: .venv/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv

.venv/.created:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "needs Python 3.11 or newer"; exit 1; }
	$(PYTHON) -m venv .venv
	touch $@

# uv installs several times faster; pip does as well.
.venv/.installed: .venv/.created pyproject.toml
	$(BIN)/python -m pip install --quiet uv && $(BIN)/uv pip install --quiet --python $(BIN)/python -e . \
		|| $(BIN)/python -m pip install --quiet -e .
	touch $@

.venv/.installed-test: .venv/.created pyproject.toml
	$(BIN)/python -m pip install --quiet uv && $(BIN)/uv pip install --quiet --python $(BIN)/python -e ".[test]" \
		|| $(BIN)/python -m pip install --quiet -e ".[test]"
	touch $@ .venv/.installed
