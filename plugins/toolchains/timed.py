#!/usr/bin/env python3
"""Prints how long each step from an empty folder to live traffic takes in each language, as a table in Markdown.

    plugins/toolchains/timed.py target/release/till [language…]

The tools are those that `make plugins` has installed; a language whose tools are missing installs them within its first build, and
says so by its time. `build` is the first build of the folder, `again` one after a change. `call` is the median of the plugin's
processor time in 50 checkouts of a host that it is deployed to, which reuses instances as it always does.
"""

import sys
import tempfile
import time
from pathlib import Path

from steps import LANGUAGES, TOOLS, Author, Host, size

STEPS = ["new", "build", "again", "check", "run", "deploy"]


def timed(step, *arguments):
    began = time.monotonic()
    step(*arguments)
    return time.monotonic() - began


def row(till, language):
    with tempfile.TemporaryDirectory() as folder, Host(till, folder) as host:
        author = Author(till, language, folder)
        seconds = [timed(author.new), timed(author.build, TOOLS)]
        source = next(author.plugin.glob("checkout.*"), author.plugin / "src" / "lib.rs")
        source.write_text(source.read_text() + "\n")
        seconds += [timed(author.build, TOOLS), timed(author.check), timed(author.run), timed(author.deploy, host.admin)]
        figures = [f"{second:.2f}" for second in seconds]
        figures += [f"{sum(seconds):.1f}", size(author.component.stat().st_size), f"{host.guest_us(50):.0f} µs"]
    return f"| {LANGUAGES[language]} | {' | '.join(figures)} |"


def main(till, *languages):
    till = Path(till).resolve()
    columns = ["language", *(f"{step}, s" for step in STEPS), "all, s", "component", "call"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for language in languages or LANGUAGES:
        print(row(till, language), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
