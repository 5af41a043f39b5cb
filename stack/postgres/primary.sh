#!/usr/bin/env bash
# Runs once, in the primary whose folder is new: the shop's database with its role, and what a standby needs.
set -euo pipefail

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username postgres \
    --set till="$(cat /tokens/till)" --set replication="$(cat /tokens/replication)" <<'SQL'
CREATE ROLE till LOGIN PASSWORD :'till';
CREATE DATABASE shop OWNER till;
-- A transaction that somebody forgot holds back the vacuum of the hottest rows.
ALTER DATABASE shop SET idle_in_transaction_session_timeout = '30s';

CREATE ROLE replication LOGIN REPLICATION PASSWORD :'replication';
SELECT FROM pg_create_physical_replication_slot('standby');
-- It counts from the next start on: here it would have these statements wait for a standby that can't be there yet.
ALTER SYSTEM SET synchronous_standby_names = 'standby';
SQL

echo 'host replication replication all scram-sha-256' >>"$PGDATA/pg_hba.conf"
