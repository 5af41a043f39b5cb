"""An author's steps with a till, for the scripts beside this one: a new plugin's folder, a build, a check, a run, a deploy."""

import json
import os
import re
import statistics
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What `make plugins` has installed.
TOOLS = ROOT / "plugins" / ".tools"
# The name that `till plugin new --lang` takes, and the language's.
LANGUAGES = {
    "rust": "Rust",
    "c": "C",
    "cpp": "C++",
    "zig": "Zig",
    "go": "Go",
    "js": "JavaScript",
    "ts": "TypeScript",
    "python": "Python",
}
# A till that isn't optimised may take minutes to compile an interpreter.
PATIENT = {"TILL_LIMITS_COMPILE_MS": "600000"}


class Failed(Exception):
    """A step ended with an exit code other than 0. It holds what the step said."""


def run(command, folder, **environment):
    """Runs a command in a folder, and returns what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=os.environ | PATIENT | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    if done.returncode != 0:
        raise Failed(f"{done.stdout}\n{done.stderr}".strip())
    return done.stdout


class Author:
    """Who writes a checkout named `small` in one language, in a folder of its own."""

    def __init__(self, till, language, folder):
        self.till, self.language, self.folder = till, language, Path(folder)
        self.plugin = self.folder / "small"
        self.component = self.plugin / "build" / "small.wasm"

    def new(self):
        run([self.till, "plugin", "new", "small", "--kind", "checkout", "--lang", self.language], self.folder)

    def build(self, tools, **environment):
        run(["make"], self.plugin, TILL=str(self.till), TILL_PLUGIN_TOOLS=str(tools), **environment)

    def check(self):
        return json.loads(run([self.till, "plugin", "check", "--json", self.component], self.folder))

    def run(self):
        run([self.till, "plugin", "run", self.component, "--input", self.plugin / "cases" / "success.json"], self.folder)

    def test(self):
        run([self.till, "plugin", "test", self.component, self.plugin / "cases"], self.folder)

    def deploy(self, admin):
        run([self.till, "plugin", "deploy", self.component, "--admin", admin], self.folder)


class Host:
    """A till that serves on loopback until the block ends."""

    def __init__(self, till, folder):
        self.till, self.folder = till, folder

    def __enter__(self):
        log = Path(self.folder) / "host.log"
        listen = ["--set", "server.listen=127.0.0.1:0", "--set", "server.admin=127.0.0.1:0"]
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [str(self.till), "serve", *listen], cwd=self.folder, env=os.environ | PATIENT, stdout=output, stderr=output
            )
        self.shop, self.admin = self.addresses(log)
        return self

    def addresses(self, log):
        for _ in range(600):
            found = dict.fromkeys(re.findall(r"http://127\.0\.0\.1:[0-9]+", log.read_text()))
            if len(found) >= 2:
                return list(found)[:2]
            if self.process.poll() is not None:
                raise Failed(log.read_text())
            time.sleep(0.1)
        raise Failed(f"no addresses in: {log.read_text()}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)

    def guest_us(self, times):
        """Buys so many times, and returns the median of the checkout plugin's processor time, in microseconds."""
        taken = []
        for _ in range(times):
            body = json.dumps({"item": "headphones", "quantity": 1, "price": 99.99}).encode()
            request = urllib.request.Request(f"{self.shop}/checkout", body, {"content-type": "application/json"})
            with urllib.request.urlopen(request) as answer:
                trace_id = answer.headers["traceresponse"].split("-")[1]
            taken.append(self.guest_us_of(trace_id))
        return statistics.median(taken)

    def guest_us_of(self, trace_id):
        with urllib.request.urlopen(f"{self.admin}/recent/traces/{trace_id}") as answer:
            spans = json.load(answer)["trace"]["spans"]
        span = next(span for span in spans if span["operationName"] == "checkout_transaction")
        return next(tag["value"] for tag in span["tags"] if tag["key"] == "plugin.guest_us")


def size(count):
    """Returns a number of bytes as people read it."""
    return f"{count / 1024:.0f} KiB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MiB"
