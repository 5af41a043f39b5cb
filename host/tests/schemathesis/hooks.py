"""What JSON Schema can't say of Till's routes, said to Schemathesis.

Requests that are meant to be valid are brought within the rules that `openapi.json` states in prose: names and texts
counted in bytes, a price's decimals, a key for each cart. Requests that are meant to be invalid are left alone.
"""

import decimal
import itertools
import json
import os
import pathlib

import schemathesis
from hypothesis import strategies
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.generation.meta import TestPhase
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.transport.serialization import serialize_json

# What the host under test has enough of for every cart.
STOCKED = "headphones"
ITEM_BYTES_MAX = 64
ATTRIBUTE_KEY_BYTES_MAX = 64
ATTRIBUTE_TEXT_BYTES_MAX = 1024
# USD. A hundred lines of 10,000 pieces stay below 2^53 cents.
DECIMALS = 2
PRICE_LIMIT = 1_000_000
KEY_BYTES_MAX = 255
KEY = "Idempotency-Key"

BODY_BYTES_MAX = 65_536
TARGET_BYTES_MAX = 2_048
NAME_BYTES_MAX = 64
SOURCE_BYTES_MAX = 512
CODE_BYTES_MAX = 64
ADDRESS_PART_BYTES_MAX = 255
ADDRESS_CODE_BYTES_MAX = 32
REASON_BYTES_MAX = 1024
# All settings of a plugin, from one change to the next.
SETTINGS_MAX = 64

WASM = "application/wasm"
# Queries of recent traces as they stand in the document's examples, and the longest of another text, of which each sign may need two.
QUERIES = ("item:laptop outcome:!ok took:>1s", "route:/checkout")
QUERY_BYTES_MAX = 900
# Plugins that can be deployed and installed, by their hook, among files that are none.
FILES = [(hook, os.environ.get(hook.upper())) for hook in ("inventory", "discounts")]
PLUGINS = {pathlib.Path(file).read_bytes(): hook for hook, file in FILES if file}
# Where one may be installed.
INSTALLATION = "spring"
# Of two that are installed from the beginning.
ORDERS = itertools.cycle([["age", "limits"], ["limits", "age"]])
# Those that there are from the beginning: two that were approved, and one that waits.
APPROVALS = itertools.cycle([1, 2, 3])
CSV = "text/csv"
# Files that are catalogues, among files that are none.
CATALOGUES = [b"item,title,price\nheadphones,Headphones,99.99\n", b"item\n"]
# Schemathesis 4.32.5 takes a member `…_address` for the id of something that another route makes, and begins no sequence
# with a route that wants an id which nobody makes.
RENAMED = {"shipping_address": "ships_to", "billing_address": "bills_to"}
ORIGINAL = {other: name for name, other in RENAMED.items()}
IS_SHOP = os.environ["LISTENER"] == "Shop"

numbers = itertools.count(1)
# The cases of which the query was changed.
fitted = set()

files = strategies.binary()
schemathesis.openapi.media_type(WASM, strategies.sampled_from(list(PLUGINS)) | files if PLUGINS else files)


@schemathesis.serializer(WASM)
def wasm(context, value):
    return value if isinstance(value, bytes) else str(value).encode()


schemathesis.openapi.media_type(CSV, strategies.sampled_from(CATALOGUES) | files)


@schemathesis.serializer(CSV)
def csv(context, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.check
def every_answer_of_the_shop_names_its_trace(context, response, case):
    """What both listeners answer is documented without; the shop's is to have it all the same."""
    names = {"traceresponse", "till-plugins"} & set(response.headers)
    # The admin listener passes an operator's checkout on to the shop, and its answer back.
    is_of_shop = IS_SHOP or (case.path == "/buy" and "till-plugins" in names)
    # Far too many headers are refused before Till sees them.
    if response.content:
        assert len(names) == (2 if is_of_shop else 0), f"an answer of this listener names {names}"
    if response.headers.get("content-type") == ["application/problem+json"]:
        assert ("trace_id" in response.json()) == is_of_shop, "trace_id is the shop's"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    text = json.dumps(raw_schema)
    for name, other in RENAMED.items():
        text = text.replace(f'"{name}"', f'"{other}"')
    raw_schema.update(json.loads(text))
    # Clients have to bear members that they don't know. Here one that the document doesn't describe is a failure.
    components = raw_schema["components"]
    for name in answered(components, [components["responses"], raw_schema["paths"]]):
        if "properties" in components["schemas"][name]:
            components["schemas"][name]["additionalProperties"] = False
    # An example of a file that has a strategy of its own has to be bytes.
    for path in raw_schema["paths"].values():
        for operation in path.values():
            body = operation.get("requestBody", {}) if isinstance(operation, dict) else {}
            content = body.get("content", {}).get(CSV, {})
            if "example" in content:
                content["example"] = content["example"].encode()
    # Only the operator knows whether a token is set; then it is no longer optional.
    if os.environ.get("CLOSED"):
        for path in raw_schema["paths"].values():
            for operation in path.values():
                if isinstance(operation, dict) and "security" in operation:
                    operation["security"].remove({})


@schemathesis.serializer("application/json")
def with_its_own_names(context, value):
    if isinstance(value, dict):
        value = {ORIGINAL.get(name, name): member for name, member in value.items()}
    sent = serialize_json(value)
    return sent["data"] if "data" in sent else json.dumps(sent["json"]).encode()


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    # A release can follow only where the deduct had a key.
    if case.operation.path == "/inventory/deduct" and case.meta.phase.name == TestPhase.STATEFUL:
        case.headers.setdefault(KEY, "deduct")
    if KEY in case.headers:
        case.headers[KEY] = another(case.headers[KEY])
    if "item" in case.path_parameters:
        case.path_parameters["item"] = cut(case.path_parameters["item"], ITEM_BYTES_MAX)
    if isinstance(case.body, dict) and case.operation.path in ("/checkout", "/buy", "/quote", "/inventory/deduct"):
        case.body = within_the_rules(case.body)
    if isinstance(case.body, dict) and case.operation.path.startswith(("/plugins/", "/stock/", "/recordings/")):
        case.body = within_the_bytes(whole(case.body))
    if isinstance(case.query.get("try"), dict):
        case.query["try"] = whole(case.query["try"])
    if case.operation.path in ("/plugins", "/plugins/install"):
        where_it_fits(case)
    if case.operation.path == "/plugins/approvals/{number}":
        case.path_parameters["number"] = next(APPROVALS)
    if case.operation.path == "/plugins/{kind}/uninstall":
        case.path_parameters["kind"] = "discounts"
        case.body["installation"] = INSTALLATION
    if case.operation.path == "/plugins/{kind}/order":
        case.path_parameters["kind"] = "validation"
        case.body["installations"] = next(ORDERS)
    for name in ("name", "by"):
        if name in case.query:
            case.query[name] = cut(case.query[name], NAME_BYTES_MAX)
    if "source" in case.query:
        case.query["source"] = cut(case.query["source"], SOURCE_BYTES_MAX)
    # JSON Schema doesn't say what a query of traces is. In quotes every text is one.
    for name in ("q", "against"):
        if isinstance(case.query.get(name), str) and case.query[name] not in QUERIES:
            case.query[name] = quoted(cut(case.query[name], QUERY_BYTES_MAX))


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Keeps a failure unless the refusal of a valid request was right."""
    # Schemathesis takes a query for invalid once it was changed, if a member of it is JSON.
    # Beside ids, Jaeger's search doesn't look at what it would search by.
    if isinstance(failure, AcceptedNegativeData):
        return case.id not in fitted and not (case.operation.path == "/api/traces" and "traceID" in case.query)
    if not isinstance(failure, RejectedPositiveData):
        return True
    if response.status_code == 422 and response.json()["code"] == "plugin_refused":
        return response.request.body in PLUGINS
    # A search wants ids or a service, and no longest duration below the shortest.
    if response.status_code == 400 and case.operation.path == "/api/traces":
        return "traceID" in case.query or "service" in case.query and "maxDuration" not in case.query
    if response.status_code == 400 and case.operation.path == "/api/v3/trace-summaries":
        return "query.durationMax" not in case.query
    # Whether so many pieces can come or go hangs on how many there are.
    if response.status_code == 422 and case.operation.path == "/stock/{item}":
        return "add" not in case.body
    # What repeats a recorded call has to be of its hook, and a version that there is.
    if response.status_code == 422 and case.operation.path.startswith("/recordings/"):
        return False
    # JSON Schema doesn't say what a catalogue is.
    if response.status_code == 422 and case.operation.path == "/catalogue":
        return response.request.body in CATALOGUES
    too_long = response.status_code == 414 and len(response.request.url) > TARGET_BYTES_MAX
    too_large = response.status_code == 413 and len(response.request.body or b"") > BODY_BYTES_MAX
    # A checkout isn't sold for another total than its client agreed to, and a token that nobody signed is none. Nothing is
    # offered that could be chosen.
    refused = ("quote_changed", "quote_unusable", "not_delivered", "not_payable")
    if response.status_code in (409, 422) and response.json()["code"] in refused:
        return case.operation.path not in ("/checkout", "/buy")
    # No key is set that a customer's token could be checked with.
    if response.status_code == 422 and "customer_token" in response.json()["detail"]:
        return False
    out_of_stock = response.status_code == 400 and response.json()["code"] == "insufficient_stock"
    return not (too_long or too_large or out_of_stock)


def answered(components, parts):
    """Returns the names of the schemas that answers have."""
    names = set()
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            parts += [value for key, value in part.items() if key not in ("requestBody", "parameters")]
            name = str(part.get("$ref", "")).removeprefix("#/components/schemas/")
            if name in components["schemas"] and name not in names:
                names.add(name)
                parts.append(components["schemas"][name])
    return names


def where_it_fits(case):
    """Has a plugin deployed and installed at its own hook, and nothing installed where there is exactly one plugin for ever."""
    fitted.add(case.id)
    hook = PLUGINS.get(case.body) if isinstance(case.body, bytes) else None
    if case.operation.path == "/plugins/install" and hook == "inventory":
        case.body = next(file for file in PLUGINS if PLUGINS[file] == "discounts")
    if case.operation.path == "/plugins/install" or hook == "discounts":
        case.query.update(kind="discounts", installation=INSTALLATION)
    elif "kind" in case.query or "installation" in case.query:
        case.query["kind"] = "inventory"


def within_the_rules(cart):
    if "codes" in cart:
        cart = {**cart, "codes": [cut(code, CODE_BYTES_MAX) for code in cart["codes"]]}
    for name in RENAMED.values():
        if name in cart:
            cart = {**cart, name: address_within_the_rules(cart[name])}
    lines = cart.get("lines", [cart])
    # Every other cart can be sold; the others are for names that nobody thought of.
    sold = lines[0]["quantity"] % 2 == 1
    lines = [line_within_the_rules(line, sold) for line in lines]
    if cart.get("expected_total", -1) >= 0:
        cart = {**cart, "expected_total": round(cart["expected_total"] % PRICE_LIMIT, DECIMALS)}
    if "lines" not in cart:
        return {**lines[0], **{name: cart[name] for name in ("expected_total",) if name in cart}}
    return with_attributes({**cart, "lines": lines})


def address_within_the_rules(address):
    bytes_max = lambda name: ADDRESS_CODE_BYTES_MAX if name in ("postal_code", "phone") else ADDRESS_PART_BYTES_MAX
    parts = {name: cut(part, bytes_max(name)) for name, part in address.items() if isinstance(part, str)}
    lines = [cut(line, ADDRESS_PART_BYTES_MAX) for line in address.get("lines", [])]
    return {**address, **parts, "lines": lines}


def line_within_the_rules(line, sold):
    # The catalogue has the price of one item.
    sold = sold or "price" not in line
    line = with_attributes({**line, "item": STOCKED if sold else cut(line["item"], ITEM_BYTES_MAX)})
    if line.get("price", -1) >= 0:
        line["price"] = round(line["price"] % PRICE_LIMIT, DECIMALS)
    return line


def whole(value):
    """The schema takes 1.0 for a whole number, operators' routes want 1."""
    if isinstance(value, dict):
        return {key: whole(member) for key, member in value.items()}
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if is_whole else value


def within_the_bytes(change):
    """Of a plugin's change: who wants it, why, and settings of which there aren't ever more."""
    change = dict(change)
    for name, bytes_max in (("by", NAME_BYTES_MAX), ("reason", REASON_BYTES_MAX)):
        if isinstance(change.get(name), str):
            change[name] = cut(change[name], bytes_max)
    if isinstance(change.get("set"), dict):
        short = lambda value: cut(value, ATTRIBUTE_TEXT_BYTES_MAX) if isinstance(value, str) else value
        values = itertools.islice(change["set"].values(), SETTINGS_MAX)
        change["set"] = {f"setting {number}": short(value) for number, value in enumerate(values)}
        # No plugin knows these.
        change["force"] = True
    return change


def with_attributes(holder):
    if "attributes" not in holder:
        return holder
    value_of = lambda value: cut(value, ATTRIBUTE_TEXT_BYTES_MAX) if isinstance(value, str) else held_exactly(value)
    attributes = holder["attributes"].items()
    return {**holder, "attributes": {cut(key, ATTRIBUTE_KEY_BYTES_MAX): value_of(value) for key, value in attributes}}


def held_exactly(value):
    """A whole number that a float doesn't hold is for a text."""
    return value if isinstance(value, (bool, float)) else int(decimal.Decimal(repr(float(value))))


# What goes past a limit that the schema does state is sent as it is: then it's the schema that is wrong.


def another(key):
    number = f"-{next(numbers)}"
    return key if len(key) > KEY_BYTES_MAX else key[: KEY_BYTES_MAX - len(number)] + number


def cut(text, bytes_max):
    return text if len(text) > bytes_max else text.encode()[:bytes_max].decode(errors="ignore").rstrip()


def quoted(text):
    """Returns the text as a term of a query."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
