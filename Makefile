# What people type: make demo, make test, make lint. Everything is installed into $(VENV), nothing elsewhere.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
# Versions that were tested together; CONSTRAINTS= installs the newest instead.
CONSTRAINTS ?= --constraint constraints.txt
INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS)
# What the tests and linters need; CI adds review (labelme).
EXTRAS ?= test,lint,postgres

.PHONY: first-model lesson demo test loop effort promises lint audit docs table format faults fuzz bench constraints clean

demo: $(VENV)/.installed
	$(VENV)/bin/cli demo demo

# PYTEST_ARGS: CI adds the coverage figure and its floor.
test: $(VENV)/.installed-$(EXTRAS)
	$(PY) -m pytest --numprocesses auto $(PYTEST_ARGS)

lint: $(VENV)/.installed-$(EXTRAS)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

# Known vulnerabilities of what is installed; AUDIT=--where-reachable goes on where the service cannot be asked.
audit: $(VENV)/.installed-audit
	$(PY) -m pip_audit --local --format json --progress-spinner off 2>/dev/null | $(PY) .ci/audit.py $(AUDIT)

# Nightly, and before a release: about 20 minutes on two cores; needs redis-server, Postgres's programs, cc, prlimit, root.
# A row that a machine cannot run is no pass: FAULTS=--missing-is-fine says that it is.
faults: $(VENV)/.installed-$(EXTRAS)
	$(PY) -m bench.faults $(FAULTS)

# Nightly: an hour of mutated label files and images, seeded; a finding tells its seed. FUZZ="--minutes 1 --seed 3"
fuzz: $(VENV)/.installed-$(EXTRAS)
	$(PY) -m bench.fuzz $(FUZZ)

# The figures of docs/speed.md: a quarter of an hour on two idle cores; needs a Redis and a Postgres (bench/speed/site.py).
bench: $(VENV)/.installed-$(EXTRAS)
	$(PY) -m bench.speed

# docs/commands.md says what the commands say of themselves.
docs: $(VENV)/.installed
	$(PY) -m cli.commands_page > docs/commands.md

# The results table of docs/networks.md: about half an hour on two idle cores; goes on where it was stopped.
table: $(VENV)/.installed
	$(PY) -m bench.heads_table

# docs/lesson.md: the lesson's recipes as told, beside the better ones; VGG16 takes an hour on two cores, most of it features.
lesson: $(VENV)/.installed
	$(PY) -m bench.lesson

# docs/first-model.md: learnt from 150 labels of five drawn cameras, judged on five others; half an hour on two idle
# cores, goes on where it was stopped; DRAWS=2 makes fewer draws.
first-model: $(VENV)/.installed
	$(PY) -m bench.first_model --draws $(or $(DRAWS),5)

# The learning curves of docs/retraining.md: our choice of images against chance; ten minutes on two idle cores.
loop: $(VENV)/.installed-bench
	$(PY) -m bench.loop_curve

# The figures of docs/review.md: our order of looking against others, ten minutes on two idle cores.
effort: $(VENV)/.installed-bench
	$(PY) -m bench.review_effort

# The figures of docs/estimates.md: do the 95 % intervals keep their promise? Two hundred drawn seasons, three minutes.
promises: $(VENV)/.installed-bench
	$(PY) -m bench.promises

# constraints.txt anew, from the newest versions that install together.
constraints:
	rm -rf build/constraints && $(PYTHON) -m venv build/constraints
	build/constraints/bin/pip install --quiet --disable-pip-version-check packaging \
		".[bench,flower,heif,lint,lite1,lite2,openvino,postgres,remote,review,test,video]"
	build/constraints/bin/python .ci/constraints.py > constraints.txt

# The figures of docs/events.md: animals counted once, against simpler counts; five minutes on two idle cores.
events: $(VENV)/.installed-$(EXTRAS)
	$(PY) -m bench.events

format: $(VENV)/.installed-$(EXTRAS)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "found $$($(PYTHON) --version), wanted 3.11 or newer; name another: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/pip
	@echo "installing into $(VENV): a minute or two, most of it TensorFlow"
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.installed-$(EXTRAS): pyproject.toml constraints.txt | $(VENV)/bin/pip
	@echo "installing into $(VENV): a minute or two, most of it TensorFlow"
	$(INSTALL) --editable ".[$(EXTRAS)]"
	@touch $(VENV)/.installed $@

$(VENV)/.installed-audit: $(VENV)/.installed-$(EXTRAS)
	$(INSTALL) "pip-audit>=2.9"
	@touch $@

$(VENV)/.installed-bench: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(INSTALL) --editable ".[bench]"
	@touch $(VENV)/.installed $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .hypothesis
