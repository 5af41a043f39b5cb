#!/usr/bin/env bash
# Installs each package of target/dist as a newcomer does, from that folder alone and without a toolchain, and buys something.
# Prints how many seconds went by from the command to the first order; fails when there is none.
#
# Nothing of the caller's environment is there but /usr/bin and /bin: no cargo, no rustc, an empty home.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
dist=$root/target/dist
place=$(mktemp -d)
till=
trap 'kill $till 2>/dev/null || true; rm -rf "$place"' EXIT

bare() {
  (cd "$place" && env -i HOME="$place" PATH=/usr/bin:/bin "$@")
}

# Serves with that program, buys, and prints the seconds since SECONDS was set to 0.
first_order() {
  local what=$1 program=$2
  (cd "$place" && exec env -i HOME="$place" PATH=/usr/bin:/bin "$program" serve --set server.listen=127.0.0.1:0 \
    --set server.admin=127.0.0.1:0) >"$place/$what.log" 2>&1 &
  till=$!
  local address=
  until [ -n "$address" ]; do
    kill -0 "$till" 2>/dev/null || { cat "$place/$what.log" >&2; exit 1; }
    sleep 0.1
    address=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$place/$what.log" | head -1 || true)
  done
  python3 - "$address" <<'PY'
import json
import sys
import urllib.request

order = json.dumps({"item": "headphones", "quantity": 1, "price": 99.99}).encode()
asked = urllib.request.Request(sys.argv[1] + "/checkout", order, {"content-type": "application/json"})
assert json.load(urllib.request.urlopen(asked))["reference"]
PY
  echo "$what: first order after $SECONDS s"
  kill -INT "$till"
  wait "$till"
  till=
}

for tool in cargo rustc; do
  if bare sh -c "command -v $tool" >/dev/null; then echo "there is a $tool in /usr/bin: it is no bare machine" >&2; exit 1; fi
done

SECONDS=0
python3 -m venv "$place/venv"
bare "$place/venv/bin/pip" install --quiet --disable-pip-version-check --no-index --find-links "$dist" till-host
first_order pip "$place/venv/bin/till"

SECONDS=0
bare npm install --silent --no-audit --no-fund --offline --prefix "$place/node" "$dist"/till-host-*.tgz
first_order npm "$place/node/node_modules/.bin/till"
(cd "$place/node/node_modules/till-host" && sha256sum --check --quiet till.sha256)

SECONDS=0
tar --extract --gzip --file "$(ls "$dist"/*.tar.gz)" --directory "$place"
first_order archive "$(ls "$place"/till-*/till)"
