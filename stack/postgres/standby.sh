#!/usr/bin/env bash
# The standby's start: it copies the primary once, and follows it from then on.
set -euo pipefail

export PGPASSFILE=/tmp/pgpass
printf 'primary:5432:*:replication:%s\n' "$(cat /tokens/replication)" >"$PGPASSFILE"
chmod 0600 "$PGPASSFILE"

if [ ! -e "$PGDATA" ]; then
    rm -rf "$PGDATA.part"
    # Without `fast` it would wait for the primary's next checkpoint, for minutes.
    pg_basebackup --dbname 'host=primary user=replication application_name=standby' --pgdata "$PGDATA.part" \
        --slot standby --wal-method stream --checkpoint fast --write-recovery-conf
    mv "$PGDATA.part" "$PGDATA"
fi

# The copy has the primary's settings. Promoted, it would wait for itself: its own standby has to be named first.
exec docker-entrypoint.sh postgres -c synchronous_standby_names=
