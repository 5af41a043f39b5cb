#!/usr/bin/env python3
"""Builds the same small checkout with the newest release of each toolchain, and writes docs/plugins/toolchains.md: what each component
imports, and whether Till takes it.

    make toolchains                               # what CI doesn't do: it fetches a gigabyte and takes a quarter of an hour
    plugins/toolchains/newest.py target/debug/till [language…]      # prints the rows of these

A kit's pins are lifted in a folder of `till plugin new`, so that the kit itself is what is tried. A failure is a row, with the first
line that says why. Nothing is kept but the page.
"""

import datetime
import json
import os
import re
import sys
import tempfile
from pathlib import Path

from steps import LANGUAGES, ROOT, Author, Failed, run, size

PAGE = ROOT / "docs" / "plugins" / "toolchains.md"
# Outside of the project, nothing decides about the toolchain but this.
NEWEST_RUST = {"RUSTUP_TOOLCHAIN": "stable"}
HEAD = """# The newest toolchains

Made by `make toolchains` on {date}, of what the registries had then: the checkout of `till plugin new`, built by the kit with its pins
lifted, checked by `till plugin check` and held to its cases. The pins are those that Till's own plugins are built with.

{table}

## What can't be built yet

{missing}
"""
MISSING = """| language | what was tried | what is missing |
|---|---|---|
"""


def unpinned(plugin, engine):
    """Lifts the pins of a plugin's kit."""
    for pins in plugin.glob("kits/*/requirements.txt"):
        pins.write_text(re.sub(r"==\S+", "", pins.read_text()))
    for pins in plugin.glob(f"kits/js/{engine}/package.json" if engine else "kits/js/package.json"):
        package = json.loads(pins.read_text())
        package["dependencies"] = dict.fromkeys(package["dependencies"], "latest")
        pins.write_text(json.dumps(package))
        pins.with_name("package-lock.json").unlink(missing_ok=True)
        run(["npm", "install", "--package-lock-only", "--no-audit", "--no-fund"], pins.parent)


def installed(tools):
    """Returns what was installed there, as `name version`."""
    found = []
    for pip in tools.glob("*/bin/pip"):
        packages = json.loads(run([pip, "list", "--format", "json", "--disable-pip-version-check"], tools))
        found += [f"{package['name']} {package['version']}" for package in packages if package["name"] not in ("pip", "setuptools")]
    for manifest in tools.glob("*/package.json"):
        for name in json.loads(manifest.read_text())["dependencies"]:
            installed_as = json.loads((manifest.parent / "node_modules" / name / "package.json").read_text())
            found.append(f"{name.removeprefix('@bytecodealliance/')} {installed_as['version']}")
    return sorted(found)


def built(till, language, engine, folder):
    """Returns the row of a toolchain: its versions, and what became of the component."""
    author = Author(till, language, folder)
    author.new()
    environment = {"ENGINE": engine} if engine else {}
    if language == "rust":
        environment |= NEWEST_RUST
        run(["rustup", "target", "add", "wasm32-wasip2"], folder, **NEWEST_RUST)
        versions = [run(["rustc", "--version"], folder, **NEWEST_RUST).split(" (")[0]]
    else:
        unpinned(author.plugin, engine)
    tools = Path(folder) / "tools"
    tools.mkdir()
    try:
        author.build(tools, **environment)
        checked = author.check()
        author.test()
        imports = sorted({name.split(":")[1].split("/")[0] for name in checked["imports"] if name.startswith("wasi:")})
        outcome = ["yes", size(checked["bytes"]), ", ".join(imports) or "none"]
    except Failed as failed:
        outcome = [f"no: {reason(str(failed))}", "", ""]
    if language != "rust":
        versions = installed(tools)
    return [", ".join(versions), *outcome]


def reason(said):
    """Returns the line that says why, without what is of this machine."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    thrown = [line for line in lines if re.match(r"\w*Error: ", line)]
    telling = [line for line in lines if re.search(r"\berror\b(?!\(s\))|ERROR|Error|refused|Cannot|is missing", line)]
    line = (thrown or telling or lines or ["it says nothing"])[0]
    return re.sub(r"/\S*/", "", line).replace("|", "\\|")[:200].rstrip(".")


def assemblyscript(folder):
    """AssemblyScript has no kit: an export's name is what fails."""
    run(["npm", "install", "--no-audit", "--no-fund", "assemblyscript"], folder)
    package = json.loads((Path(folder) / "node_modules" / "assemblyscript" / "package.json").read_text())
    source = Path(folder) / "small.ts"
    source.write_text('function run(): i32 { return 1; }\nexport { run as "till:plugin/checkout@0.1.0#checkout" };\n')
    try:
        run(["node_modules/.bin/asc", source, "--outFile", "small.wasm", "--runtime", "stub"], folder)
        said = "an export takes the interface's name, so that it could be tried"
    except Failed as failed:
        said = f"an export can't have the interface's name: {reason(str(failed))}"
    return f"assemblyscript {package['version']}", said


def main(till, *languages):
    till = Path(till).resolve()
    if not till.is_file():
        sys.exit(f"{till} isn't there; cargo build --locked --package till --tests makes it")
    rows = []
    for language in languages or [*LANGUAGES, "starlingmonkey"]:
        engine = "starlingmonkey" if language == "starlingmonkey" else None
        with tempfile.TemporaryDirectory() as folder:
            name = "JavaScript, StarlingMonkey" if engine else LANGUAGES[language]
            rows.append([name, *built(till, "js" if engine else language, engine, folder)])
        print(f"| {' | '.join(rows[-1])} |", flush=True)
    if languages:
        return
    columns = ["language", "newest", "Till takes it", "size", "WASI imports"]
    table = "\n".join(f"| {' | '.join(row)} |" for row in [columns, ["---"] * len(columns), *rows])
    with tempfile.TemporaryDirectory() as folder:
        tried, said = assemblyscript(folder)
    missing = f"{MISSING}| AssemblyScript | {tried} | {said}. Its integers and strings differ from TypeScript's as well |\n{ELSEWHERE}"
    PAGE.write_text(HEAD.format(date=datetime.date.today(), table=table, missing=missing.strip()))


ELSEWHERE = (Path(__file__).parent / "missing.md").read_text()

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
