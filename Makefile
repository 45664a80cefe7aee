# Needs only Python (>= 3.11), make and a package registry: everything else is installed into .tools and .venv.
PYTHON ?= python3
UV := .tools/bin/uv
RUN := .venv/bin
CHECKED := src tests tools benchmarks
LOCK := $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links
DEMO_ARGS ?=
TEST_ARGS ?= -n 2
MUTANTS_ARGS ?=
GROWTH_ARGS ?=

.PHONY: demo test test-crash test-damage test-formats check bench-truth bench-dispatch bench-ledger bench-decode bench-live bench-growth bench-read bench-adjust bench-curate bench-soak bench-web bench-download bench-export bench-replay bench-batches mutants docs format lock sample calendars reference clean

demo: .venv/.runtime
	$(RUN)/fulltape demo $(DEMO_ARGS)

test: .venv/.dev .interop/.clients .interop/.deriv
	$(RUN)/python -m pytest $(TEST_ARGS)

# A minute of kill -9 on each engine with sixteen workers, on capture and seal, and two hundred on the processes of the service.
test-crash: .venv/.dev
	FULLTAPE_KILL_SECONDS=60 $(RUN)/python -m pytest tests/stages/test_many_workers.py tests/stages/test_kill.py tests/live/test_kill_capture.py tests/service/test_kill_service.py

# Rows in other software's formats, read by that software itself.
test-formats: .venv/.dev .interop/.formats
	$(RUN)/python -m pytest $(TEST_ARGS) tests/formats

# Three hundred nodes, each damaged by chance and mended.
test-damage: .venv/.dev
	FULLTAPE_DAMAGES=300 $(RUN)/python -m pytest $(TEST_ARGS) tests/stages/test_many_damages.py

bench-dispatch: .venv/.dev
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.dispatch.run

bench-truth: .venv/.dev
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.truth.run

bench-ledger: .venv/.dev
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.ledger.run

bench-decode: .venv/.dev
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.decode.run

bench-live: .venv/.dev .interop/.cryptofeed
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.live.run

bench-growth: .venv/.dev
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.growth.run $(GROWTH_ARGS)

bench-adjust: .venv/.dev
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.adjust.run

bench-curate: .venv/.dev
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.curate.run

# Two weeks of a service in minutes: is everything done when it is due, and nothing twice?
bench-soak: .venv/.dev
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.soak.run

# The pages of a large node while its ledger is written to.
bench-web: .venv/.dev
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.web.run

bench-export: .venv/.dev
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.export.run

bench-replay: .venv/.dev
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.replay.run

bench-batches: .venv/.dev
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.batches.run

bench-download: .venv/.dev .interop/.clients
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.download.run

bench-read: .venv/.dev .interop/.read
	env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m benchmarks.read.run

# Four hundred small changes of the code that decides what is true: fails where the tests miss too many.
mutants: .interop/.mutants
	env -u PYTHONDONTWRITEBYTECODE .interop/mutants/bin/python -m benchmarks.mutants.run $(MUTANTS_ARGS)

check: .venv/.dev
	$(RUN)/ruff format --check $(CHECKED)
	$(RUN)/ruff check $(CHECKED)
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/python -m pytest -q -p no:randomly tests/test_shape.py

# The documents as a site, in site/, with every link followed.
docs: .interop/.docs
	.interop/docs/bin/zensical build --clean --strict
	$(PYTHON) tools/check_site.py

format: .venv/.dev
	$(RUN)/ruff format $(CHECKED)
	$(RUN)/ruff check --fix $(CHECKED)

# The lock: hashes without addresses, so that it works with any registry.
lock: $(UV)
	echo "uv==0.13.9" | $(LOCK) - -o requirements/uv.txt
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) --all-extras --group dev pyproject.toml -o requirements/dev.txt
	$(LOCK) --python-version 3.11 requirements/interop.in -o requirements/interop.txt
	$(LOCK) --python-version 3.11 requirements/interop-deriv.in -o requirements/interop-deriv.txt
	$(LOCK) --python-version 3.11 requirements/bench-live.in -o requirements/bench-live.txt
	$(LOCK) --python-version 3.11 requirements/bench-read.in -o requirements/bench-read.txt
	$(LOCK) --python-version 3.11 requirements/docs.in -o requirements/docs.txt
	$(LOCK) --python-version 3.11 requirements/formats.in -o requirements/formats.txt
	$(LOCK) --python-version 3.11 -c requirements/dev.txt requirements/mutants.in -o requirements/mutants.txt

# Rebuild package data from its sources; the results are committed.
sample: .venv/.dev
	$(UV) pip install --quiet --python $(RUN)/python "bokeh_sampledata==2026.1"
	$(RUN)/python tools/build_sample.py

calendars: .venv/.dev
	$(RUN)/fulltape calendars refresh XNYS --folder src/fulltape/calendars/tables

$(UV): requirements/uv.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --upgrade --require-hashes --target .tools -r requirements/uv.txt
	@touch $@

# A stamp, because .venv/bin/python is a link whose age is that of the system's Python.
.venv/.created: $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) .venv
	@touch $@

.venv/.runtime: .venv/.created requirements/runtime.txt pyproject.toml
	$(UV) pip install --quiet --python .venv/bin/python --require-hashes -r requirements/runtime.txt
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --editable .
	@touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	$(UV) pip install --quiet --python .venv/bin/python --require-hashes -r requirements/dev.txt
	@touch $@

# Other people's clients for the simulated vendors, in environments of their own: one of them pins an old websockets.
.interop/.clients: $(UV) requirements/interop.txt
	$(UV) venv --quiet --clear --python $(PYTHON) .interop/clients
	$(UV) pip install --quiet --python .interop/clients/bin/python --require-hashes -r requirements/interop.txt
	@touch $@

# What reads rows in the formats that are written: large, so that the tests of it skip without it.
.interop/.formats: $(UV) requirements/formats.txt
	$(UV) venv --quiet --clear --python $(PYTHON) .interop/formats
	$(UV) pip install --quiet --python .interop/formats/bin/python --require-hashes -r requirements/formats.txt
	@touch $@

.interop/.docs: $(UV) requirements/docs.txt
	$(UV) venv --quiet --clear --python $(PYTHON) .interop/docs
	$(UV) pip install --quiet --python .interop/docs/bin/python --require-hashes -r requirements/docs.txt
	@touch $@

.interop/.deriv: $(UV) requirements/interop-deriv.txt
	$(UV) venv --quiet --clear --python $(PYTHON) .interop/deriv
	$(UV) pip install --quiet --python .interop/deriv/bin/python --require-hashes -r requirements/interop-deriv.txt
	@touch $@

# Another project's capture, for comparison, in an environment of its own.
.interop/.cryptofeed: $(UV) requirements/bench-live.txt
	$(UV) venv --quiet --clear --python $(PYTHON) .interop/cryptofeed
	$(UV) pip install --quiet --python .interop/cryptofeed/bin/python --require-hashes -r requirements/bench-live.txt
	@touch $@

# Other engines that read the same rows, for comparison.
.interop/.read: $(UV) requirements/bench-read.txt
	$(UV) venv --quiet --clear --python $(PYTHON) .interop/read
	$(UV) pip install --quiet --python .interop/read/bin/python --require-hashes -r requirements/bench-read.txt
	@touch $@

# The project and its tests beside the tool that changes it, in an environment of their own.
.interop/.mutants: $(UV) requirements/dev.txt requirements/mutants.txt pyproject.toml
	$(UV) venv --quiet --clear --python $(PYTHON) .interop/mutants
	$(UV) pip install --quiet --python .interop/mutants/bin/python --require-hashes -r requirements/dev.txt
	$(UV) pip install --quiet --python .interop/mutants/bin/python --require-hashes -r requirements/mutants.txt
	$(UV) pip install --quiet --python .interop/mutants/bin/python --no-deps --editable .
	@touch $@

reference: .venv/.dev .interop/.clients .interop/.deriv
	$(RUN)/python tools/api_reference.py
	$(RUN)/python tools/build_reference.py

clean:
	rm -rf .venv .tools .interop dist
