#!/usr/bin/env python3
"""Asks a real Prometheus every query of the dashboards, and prints how many series each has.

    panels.py --prometheus http://localhost:9090          ends with 1 if a panel's query has none
    panels.py --prometheus http://localhost:9090 --all    also if it is one that stays empty until something happens
    panels.py --prometheus http://localhost:9090 --postgres   also if it is one that only hosts on PostgreSQL fill

Queries that failed count as empty and say why. Nothing but Python is needed.
"""

import argparse
import json
import math
import sys
import urllib.error
import urllib.parse
import urllib.request

from promql import queries


def samples(prometheus, expr):
    """Returns the result of a query as (how many series, how many of them are a number, what went wrong)."""
    body = urllib.parse.urlencode({"query": expr}).encode()
    try:
        with urllib.request.urlopen(f"{prometheus}/api/v1/query", body, timeout=30) as answer:
            result = json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        return 0, 0, json.load(error).get("error", str(error))
    except (urllib.error.URLError, TimeoutError) as error:
        sys.exit(f"{prometheus} doesn't answer: {error}")
    return len(result), sum(not math.isnan(float(series["value"][1])) for series in result), ""


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--prometheus", required=True, metavar="URL")
    arguments.add_argument("--all", action="store_true", help="no panel may be empty until something happens")
    arguments.add_argument("--postgres", action="store_true", help="the hosts are on PostgreSQL: their panels have numbers, too")
    arguments = arguments.parse_args()

    empty = 0
    print(f"{'dashboard':10} {'panel':32} {'series':>6} {'numbers':>7}  query")
    for board, title, description, expr in queries():
        series, numbers, wrong = samples(arguments.prometheus.rstrip("/"), expr)
        excused = [said for said, off in (("Empty until", arguments.all), ("Empty without PostgreSQL", arguments.postgres)) if not off]
        may_be_empty = description.startswith(tuple(excused)) and not wrong
        remark = ""
        if not numbers:
            remark = "  (" + description.split(".")[0].lower() + ")" if may_be_empty else f"  <-- EMPTY {wrong}"
            empty += not may_be_empty
        print(f"{board:10} {title:32} {series:6} {numbers:7}  {expr}{remark}")
    print(f"{empty} empty" if empty else "every panel has numbers")
    sys.exit(bool(empty))


if __name__ == "__main__":
    main()
