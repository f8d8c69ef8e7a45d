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
# With an index that serves builds of its own: make HASHES=--no-verify-hashes ...
HASHES ?= --require-hashes

.PHONY: demo test test-cluster test-extras test-machines gpu check format docs install lock mutants sbom input-parity model-parity

install: $(STAMP)

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv

$(STAMP): pyproject.toml requirements.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --compile-bytecode $(HASHES) --requirement requirements.txt
	VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --no-deps --editable .
	$(BIN)/python -m compileall -q bench model_zoo  # commands start in half the time, where nothing may be written too
	touch $@

demo: $(STAMP)
	$(BIN)/bench demo

test: $(STAMP)
	$(BIN)/python -m pytest $(PYTEST)

# Ray is large, and its tests start clusters: they are left out where it is not installed.
test-cluster: $(STAMP)
	VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --constraint requirements.txt --no-verify-hashes 'ray[default]'
	$(BIN)/python -m pytest tests/engine/test_cluster.py

# What `make test` leaves out for want of a package: every extra at once, with Lightning, accelerate and datasets beside, in
# an environment of its own (some gigabytes). Ray's tests are `make test-cluster`.
EXTRAS := .venv-extras
test-extras: | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(EXTRAS)
	VIRTUAL_ENV=$(EXTRAS) $(UV) pip install --quiet --editable '.[all,dev]' accelerate datasets lightning
	$(EXTRAS)/bin/python -m pytest -rs tests/exports tests/test_callbacks.py tests/test_tracking.py \
		tests/model_zoo/test_hf.py tests/model_zoo/test_load.py tests/model_zoo/test_open_clip.py \
		tests/datasets/test_input_parity.py tests/diagnostics/test_collect.py

# As other machines would run them: other kernels, thread counts, locale, a read-only home. PART=quick is CI's, PART=whole every test.
test-machines: $(STAMP)
	.ci/machines $(PART)

# On a machine with a GPU: the tests on it, agreement with the CPU, speed and memory, as one page (about ten minutes).
gpu: $(STAMP)
	$(BIN)/python benchmarks/gpu.py --out reports/gpu.md

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/python -m pytest $(PYTEST)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP)
	$(BIN)/python -m tools.keywords
	$(BIN)/python -m tools.reference
	$(BIN)/python -m tools.catalogue > docs/models.md
	$(BIN)/python -m tools.figures_page
	$(BIN)/python -m tools.protocols
	$(BIN)/python -m tools.published
	$(BIN)/python -m tools.claims
	$(BIN)/python -m tools.tiny_page
	$(BIN)/python -m tools.diagnostics_page

# Every ImageNet entry of timm, torchvision and RobustBench: is its input its owner's, bit for bit? CI takes a sample.
input-parity: $(STAMP)
	$(BIN)/python -W ignore -m tools.input_parity

# Every classifier of torchvision and two of each of timm's families, from a saved state dict: the owner's logits bit for
# bit? An hour; CI takes a sample.
model-parity: $(STAMP)
	$(BIN)/python -W ignore -m tools.model_parity

# The versions and hashes that `install` holds packages to; LOCK=--upgrade brings them up to date.
lock: $(UV)
	$(UV) pip compile --quiet $(LOCK) --extra dev --extra demo --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --output-file requirements.txt pyproject.toml

# Small faults planted at random in a room: which does no test of the room see? make mutants OF='metrics --number 100'
OF ?= metrics
mutants: $(STAMP)
	$(BIN)/python -m tools.mutants $(OF)

# A software bill of materials (CycloneDX) of what is installed.
sbom: $(STAMP)
	$(UV) tool run --quiet --from cyclonedx-bom cyclonedx-py environment $(VENV) --output-file sbom.json
