# The one list of tasks, the same by hand and in CI. `make repro` and `make test` install what they need.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: repro test bench ablations gallery ui check format

repro: .venv/installed
	dvc repro

test: check  # on all cores, one thread each; the longest files first
	OMP_NUM_THREADS=1 python -m pytest -n auto --dist loadfile --no-loadscope-reorder tests/test_pipeline*.py tests

bench: .venv/installed
	python -m benchmarks.suite

ablations: .venv/installed  # hours; what is done is not done again
	python -m ablations.run
	python -m ablations.pictures

gallery: .venv/installed  # the README's pictures, from those of the last run
	python -m dbgan.gallery results/panels docs/gallery

ui: .venv/installed  # one web worker and no job workers: half a gigabyte instead of two and a half
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true \
		mlflow ui --backend-store-uri sqlite:///mlflow.db --workers 1

check: .venv/installed
	ruff format --check .
	ruff check .

format: .venv/installed
	ruff format .
	ruff check --fix .

.venv/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@
