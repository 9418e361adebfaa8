# The one list of tasks, the same by hand and in CI. `make repro` and `make test` install what they need.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
PYTEST = OMP_NUM_THREADS=1 python -m pytest -n auto --dist loadfile

.PHONY: repro test test-slow test-all check format deps bench gpu rehearsal ablations gallery ui

repro: .venv/installed
	dvc repro

test: check  # what the README promises, in minutes: on all cores, one thread each
	$(PYTEST) -m "not slow"

test-slow: .venv/installed  # kills, DVC with queue and remote, a browser, a server; the longest files first
	$(PYTEST) -m slow --no-loadscope-reorder tests/test_pipeline*.py tests

test-all: test test-slow

check: .venv/installed
	ruff format --check .
	ruff check .
	lint-imports
	mypy
	python .ci/deps.py --check

format: .venv/installed
	ruff format .
	ruff check --fix .

deps: .venv/installed  # dvc.yaml: the code that each stage depends on
	python .ci/deps.py

bench: .venv/installed
	python -m benchmarks

MINUTES ?= 30
gpu:  # tests and times the trainings on a GPU, needs neither DVC nor MLflow
	python3 -m benchmarks.gpu data/crops.h5 --minutes $(MINUTES)

rehearsal: .venv/installed  # the seven stages at the paper's scale, two updates each: about an hour on two cores
	python -m tests.rehearsal docs/scaling.md --accumulate 1

ablations: .venv/installed  # hours; what is done is not done again
	python -m ablations.run
	python -m ablations.table

gallery: .venv/installed  # the README's pictures, from those of the last run
	python -m dbgan.gallery results/panels docs/gallery

PORT ?= 5000
ui: .venv/installed  # one web worker and no job workers: half a gigabyte instead of two and a half
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true \
		mlflow ui --backend-store-uri sqlite:///mlflow.db --workers 1 --port $(PORT)

.venv/installed: requirements.txt .ci/venv.pth
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4))' || \
		{ echo "Python 3.11.4 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	cp .ci/venv.pth "$$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	@touch $@
