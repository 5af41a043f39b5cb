#!/usr/bin/env bash
# openapi-python-client 0.29.1 leaves a whole answer out of the client that it generates when the answer's schema narrows
# a property with `const` beside the schema that it refers to, and says so only in a warning. The document is valid
# OpenAPI 3.1 (JSON Schema 2020-12): `allOf` of a reference and a narrower property is how a problem document's status is
# commonly said. Written as `minimum` = `maximum`, or as an `enum` of one word, the same answer is there.
#
# Seen: with const 1 warning and no model for 422; with minimum = maximum none, and the model is parsed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openapi-python-client==0.29.1

document() { # how the status is narrowed
    cat <<JSON
{"openapi": "3.1.0", "info": {"title": "A shop", "version": "1"},
 "paths": {"/checkout": {"post": {"operationId": "checkout", "responses": {
   "200": {"description": "Sold.", "content": {"application/json": {"schema": {"type": "object", "properties": {"id": {"type": "integer"}}}}}},
   "422": {"description": "Not acceptable.", "content": {"application/json": {"schema": {"allOf": [
      {"\$ref": "#/components/schemas/Problem"}, {"type": "object", "properties": {"status": $1}}]}}}}}}}},
 "components": {"schemas": {"Problem": {"type": "object", "required": ["status"],
   "properties": {"status": {"type": "integer"}, "detail": {"type": "string"}}}}}}
JSON
}

generated() { # name, how the status is narrowed; prints how often the client knows the answer 422
    document "$2" > "$folder/$1.json"
    (cd "$folder" && "$folder/venv/bin/openapi-python-client" generate --meta none --path "$1.json" \
        --output-path "$1" > "$1.log" 2>&1) || true
    grep -rc "status_code == 422" "$folder/$1/api/default/checkout.py" || true
}

const=$(generated const '{"const": 422}')
bounds=$(generated bounds '{"type": "integer", "minimum": 422, "maximum": 422}')
warnings=$(grep -ci "warning" "$folder/const.log" || true)
echo "openapi-python-client 0.29.1: with const the client knows the answer $const times ($warnings lines of warning), with bounds $bounds times"
[ "$const" = 0 ] && [ "$bounds" -ge 1 ] && [ "$warnings" -ge 1 ]
