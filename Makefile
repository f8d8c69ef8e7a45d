# Everything a newcomer types. Only git and Python 3.11 or newer are needed: uv is brought into .uv/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := .uv/bin/uv
STAMP := $(VENV)/.installed

export OMP_NUM_THREADS ?= 1
# The machine's own certificates where it has them: behind a company's proxy uv's bundled ones do not suffice.
ifneq (,$(wildcard /etc/ssl/certs/ca-certificates.crt))
export UV_SYSTEM_CERTS ?= true
endif
PYTEST ?= --numprocesses=2 --dist=worksteal

.PHONY: demo test check format docs install

install: $(STAMP)

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv

$(STAMP): pyproject.toml constraints.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --constraint constraints.txt --editable '.[dev,demo]'
	touch $@

demo: $(STAMP)
	$(BIN)/bench demo

test: $(STAMP)
	$(BIN)/python -m pytest $(PYTEST)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(PYTEST)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP)
	$(BIN)/python -m bench.reference
	$(BIN)/python -m model_zoo.catalogue > docs/models.md
	$(BIN)/python -m bench.reports.figures.page
