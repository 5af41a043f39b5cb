#!/usr/bin/env bash
# The stack without containers: a till with its own trace page, Debian's Prometheus with the stack's rules, and traffic.
# Ends with Ctrl-C. Its data is in target/stack; RATE is the checkouts per second.
set -euo pipefail
cd "$(dirname "$0")/.."

till=target/release/till
folder=target/stack
mkdir -p "$folder"

cargo build --release --locked --package till

trap 'trap - EXIT; kill $(jobs -p) 2>/dev/null || true; wait' EXIT
# More than the traffic sells in a week.
"$till" serve --data "$folder/till" --set stock.laptop=10000000 --set stock.smartphone=10000000 \
  --set stock.headphones=10000000 2>"$folder/till.log" >"$folder/till.out" &
prometheus --config.file stack/prometheus/local.yml --storage.tsdb.path "$folder/prometheus" \
  --web.listen-address 127.0.0.1:9090 --enable-feature exemplar-storage 2>"$folder/prometheus.log" &

answers() { curl --silent --fail --output /dev/null --max-time 1 "$1"; }
for ready in http://127.0.0.1:8000/readyz http://127.0.0.1:9090/-/ready; do
  for _ in $(seq 300); do
    answers "$ready" && continue 2
    [ "$(jobs -rp | wc -l)" = 2 ] || break
    sleep 0.1
  done
  echo "$ready doesn't answer; $folder/till.log and prometheus.log say why" >&2
  exit 1
done

pages=(http://127.0.0.1:8001/traces http://127.0.0.1:9090/alerts)
cat <<ADDRESSES
shop        http://127.0.0.1:8000
traces      ${pages[0]}
prometheus  http://127.0.0.1:9090/graph
alerts      ${pages[1]}
log         $folder/till.log
ADDRESSES
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && command -v xdg-open >/dev/null; then
  for page in "${pages[@]}"; do xdg-open "$page" >/dev/null 2>&1 || true; done
fi

"$till" traffic --rate "${RATE:-5}"
