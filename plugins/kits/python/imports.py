"""Writes the module that a plugin is built from: the author's own, and all that may be imported later.

A component has no files, so it has the modules that were imported when it was built. What a function imports, the author's
own or the standard library's, is therefore imported here too.

    python3 imports.py MODULE FOLDER > FOLDER/till_plugin.py
"""

import re
import sys
from pathlib import Path

# What modules of the standard library import only when they are used: strptime its parser, numbers their formatting, codecs
# their tables; and what functions of plugins import most.
STANDARD = [
    "_strptime",
    "base64",
    "bisect",
    "calendar",
    "contextvars",
    "copy",
    "csv",
    "datetime",
    "decimal",
    "encodings.ascii",
    "encodings.base64_codec",
    "encodings.cp1250",
    "encodings.cp1251",
    "encodings.cp1252",
    "encodings.cp437",
    "encodings.cp850",
    "encodings.hex_codec",
    "encodings.idna",
    "encodings.iso8859_1",
    "encodings.iso8859_15",
    "encodings.iso8859_2",
    "encodings.latin_1",
    "encodings.punycode",
    "encodings.raw_unicode_escape",
    "encodings.unicode_escape",
    "encodings.utf_16",
    "encodings.utf_16_be",
    "encodings.utf_16_le",
    "encodings.utf_32",
    "encodings.utf_32_be",
    "encodings.utf_32_le",
    "encodings.utf_7",
    "encodings.utf_8",
    "encodings.utf_8_sig",
    "fractions",
    "hashlib",
    "heapq",
    "hmac",
    "json",
    "linecache",
    "locale",
    "math",
    "numbers",
    "pprint",
    "random",
    "re",
    "statistics",
    "string",
    "textwrap",
    "time",
    "traceback",
    "unicodedata",
    "urllib.parse",
    "uuid",
]

TEXT = '''"""Made by imports.py of the kit."""

from importlib import import_module

from {module} import *

for name in {names!r}:
    try:
        import_module(name)
    except Exception:
        # Where it is imported in the plugin, the error is told.
        pass
'''


# By lines and not by syntax, for the plugin's Python is a newer one than what runs this. What such a line in a text names
# isn't there, or does no harm.
IMPORT = re.compile(r"^[ \t]+import\s+([\w., ]+)", re.MULTILINE)
FROM = re.compile(r"^[ \t]+from\s+(\.*)([\w.]*)\s+import\s+([\w, ]+)", re.MULTILINE)


def imported(file: Path, folder: Path) -> set[str]:
    """Returns the modules that functions of the file import."""
    package = file.relative_to(folder).parent.parts
    text = file.read_text(encoding="utf-8")
    names = {part.split()[0] for listed in IMPORT.findall(text) for part in listed.split(",") if part.split()}
    for dots, module, listed in FROM.findall(text):
        above = package[: len(package) - len(dots) + 1] if dots else ()
        base = ".".join([*above, *([module] if module else [])])
        # What is imported of a package may be a module.
        parts = [part.split()[0] for part in listed.split(",") if part.split()]
        names.update([base, *(f"{base}.{part}".strip(".") for part in parts)])
    return names - {""}


def main() -> None:
    module, folder = sys.argv[1], Path(sys.argv[2])
    found = set(STANDARD).union(*(imported(file, folder) for file in sorted(folder.rglob("*.py"))))
    print(TEXT.format(module=module, names=sorted(found)), end="")


if __name__ == "__main__":
    main()
