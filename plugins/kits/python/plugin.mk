# Builds a plugin in Python: build/NAME.wasm of the module $(KIND).py and what it imports. Needs python3 and till.

KIT ?= kits/python
KITS ?= $(KIT)/..
TOOLCHAIN := python
PINS := $(KIT)/requirements.txt
SOURCES := $(shell find . -name '*.py' -not -path './build/*' -not -path './.*' -not -path './kits/*')
include $(KITS)/component.mk
include $(KITS)/venv.mk

COMPONENTIZE = $(TOOL)/bin/componentize-py --quiet --wit-path $(WIT) --world $(KIND)-plugin

# The bindings are for editors only: the component gets its own. It is made of copies, for Python leaves its bytecode beside
# what it loads.
$(COMPONENT): | $(TOOL)/.installed
	rm -rf build/bindings build/app
	mkdir build/app
	cp --parents $(SOURCES) build/app
	cp -r $(KIT)/till build/app
	$(TOOL)/bin/python $(KIT)/imports.py $(KIND) build/app > build/till_plugin.py
	mv build/till_plugin.py build/app
	$(COMPONENTIZE) bindings build/bindings
	$(COMPONENTIZE) componentize --python-path build/app --output build/nameless.wasm till_plugin
	$(TILL) plugin pack build/nameless.wasm --kind $(KIND) --name $(NAME) --version $(VERSION) --lang Python --out $@
