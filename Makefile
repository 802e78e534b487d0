# make run     a daemon and a client beside it; state under var/
# make test    every test, lint, types, coverage
# make serve   the daemon alone, in the foreground; make chat: a client for it
#
# make screenshots  the pictures in docs/pictures
# make deb     the Debian package, in build/deb; a daemon is started out of it
# make chaos   minutes of kill -9 and cut connections: nothing lost, nothing twice
#
# PYTHON=... chooses the Python for .venv, CHATD_PORT=... another port than 5555.

VENV ?= .venv
STATE ?= var
CHATD_PORT ?= 5555
LISTEN ?= tcp:$(CHATD_PORT):interface=127.0.0.1
export CHATD_PORT
IN = $(VENV)/bin
MAKEFLAGS += --no-print-directory

.PHONY: run serve chat chaos deb screenshots test check-code check-types check-tests format clean

run: $(VENV)/.run
	@$(IN)/python -m chatd.run --state $(STATE)

serve: $(VENV)/.run
	@$(IN)/python -m chatd --state $(STATE) --listen $(LISTEN)

chat: $(VENV)/.run
	@$(IN)/python -m chatd.run --state $(STATE) --client-only

test: check-code check-types check-tests

chaos: $(VENV)/.test
	$(IN)/python -m tests.chaos $(if $(SEED),--seed $(SEED))

# The pictures of the window for README and docs: real client, real daemon.
screenshots: $(VENV)/.test
	@command -v import >/dev/null || { echo "install it: apt-get install imagemagick"; exit 1; }
	mkdir -p docs/pictures
	CHATD_SCREENSHOTS=$(CURDIR)/docs/pictures $(IN)/python -m twisted.trial tests.screens.test_scenes.SceneTests

deb: $(VENV)/.test
	@package=$$(.ci/deb $(IN)/python) && \
	CHATD_DEB=$$package $(IN)/python -m twisted.trial tests.integration.test_debian && \
	echo $$package

check-code: $(VENV)/.test
	$(IN)/ruff check .
	$(IN)/ruff format --check .

# One tree in which each module has its place, for mypy knows nothing of package_dir.
check-types: $(VENV)/.test
	@rm -rf build/types && mkdir -p build/types/chatd/clients
	@ln -s $(CURDIR)/tests $(CURDIR)/bench build/types/
	@ln -s $(filter-out %/clients,$(wildcard $(CURDIR)/chatd/*)) build/types/chatd/
	@ln -s $(CURDIR)/chatd/clients/*.py $(CURDIR)/clients/chat_* build/types/chatd/clients/
	cd build/types && $(CURDIR)/$(IN)/mypy --config-file $(CURDIR)/setup.cfg .

check-tests: $(VENV)/.test
	$(IN)/coverage erase
	$(IN)/coverage run -m twisted.trial -j 2 tests
	$(IN)/coverage combine --quiet
	$(IN)/coverage report

format: $(VENV)/.test
	$(IN)/ruff check --fix-only .
	$(IN)/ruff format .

clean:
	rm -rf $(VENV) build dist _trial_temp* *.egg-info .coverage*

# Made again where setup.cfg changes. Not a word on standard output: that is the client's.
$(VENV)/.run: setup.cfg
	@python=$$(.ci/system run) && \
	if ! test -x $(IN)/pip; then $$python -m venv $(VENV); fi
	@$(IN)/python -m pip install --quiet --editable '.[term]' </dev/null >&2
	@touch $@

$(VENV)/.test: setup.cfg
	@python=$$(.ci/system test) && \
	if ! $(IN)/python -c 'import tkinter, pip' 2>/dev/null; then $$python -m venv --clear $(VENV); fi
	@$(IN)/python -m pip install --quiet --editable '.[test]' </dev/null >&2
	@touch $@ $(VENV)/.run
