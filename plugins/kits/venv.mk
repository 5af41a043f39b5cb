# Installs a tool that PyPI has.

$(TOOL)/.installed:
	$(call needs,python3,install Python 3 and its module venv: apt-get install python3-venv)
	rm -rf $(TOOL)
	python3 -m venv $(TOOL)
	$(TOOL)/bin/pip install --quiet --disable-pip-version-check --requirement $(PINS)
	touch $@
