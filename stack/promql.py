"""The queries of the dashboards, as Prometheus itself can read them."""

import json
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "grafana" / "dashboards"

# What Grafana puts in before it asks.
VARIABLES = {"$__rate_interval": "1m", "$__interval": "15s", "$__range": "30m", "$service": ".+"}


def plain(expr):
    """The query without Grafana's variables; one that isn't known stays, and is no PromQL."""
    for name, value in VARIABLES.items():
        expr = re.sub(re.escape(name) + r"\b", value, expr)
    return expr


def queries():
    """Yields dashboard, panel's title, its description, and one query of it, of panels that ask Prometheus."""
    for path in sorted(FOLDER.glob("*.json")):
        board = json.loads(path.read_text())
        for mark in board["annotations"]["list"]:
            yield path.stem, f"mark: {mark['name']}", "Empty until a version comes.", plain(mark["expr"])
        for panel in board["panels"]:
            if panel.get("datasource", {}).get("type") == "prometheus":
                for target in panel["targets"]:
                    yield path.stem, panel["title"], panel["description"], plain(target["expr"])
