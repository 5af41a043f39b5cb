//! The tables that both databases have, and their columns. The key comes first; a table comes after those that it refers to.

use super::Value;

/// A table of both databases.
pub(in crate::store) struct Table {
    pub(in crate::store) name: &'static str,
    /// The columns. Rows are read in the order of the first one.
    pub(in crate::store) columns: &'static [Column],
    /// Whether the database that has the row gives it its key, which then isn't copied.
    pub(in crate::store) is_keyed_anew: bool,
    /// Whether PostgreSQL's row names the host that drives it: none does.
    pub(in crate::store) has_host: bool,
}

pub(in crate::store) struct Column {
    /// The name in SQLite.
    pub(in crate::store) name: &'static str,
    pub(in crate::store) of: Of,
}

/// What a column holds.
#[derive(Clone, Copy)]
pub(in crate::store) enum Of {
    Integer,
    /// PostgreSQL's smallint.
    Small,
    /// PostgreSQL's boolean.
    Flag,
    Text,
    Bytes,
    /// SQLite's `at_ms` by the time that tills have been running, PostgreSQL's timestamp `at`.
    Age,
}

impl Table {
    /// Returns the cells that are the same in both databases.
    pub(in crate::store) fn copied<'a>(&self, cells: &'a [Value]) -> &'a [Value] {
        cells.get(usize::from(self.is_keyed_anew)..).unwrap_or_default()
    }

    /// Returns the columns of [`copied`](Self::copied).
    pub(in crate::store) fn copied_columns(&self) -> &'static [Column] {
        self.columns.get(usize::from(self.is_keyed_anew)..).unwrap_or_default()
    }
}

const fn column(name: &'static str, of: Of) -> Column {
    Column { name, of }
}

const fn table(name: &'static str, columns: &'static [Column]) -> Table {
    Table { name, columns, is_keyed_anew: false, has_host: false }
}

pub(in crate::store) const TABLES: &[Table] = &[
    table(
        "stock",
        &[
            column("item", Of::Text),
            column("opening", Of::Integer),
            column("on_hand", Of::Integer),
            column("removed", Of::Flag),
        ],
    ),
    Table {
        has_host: true,
        ..table(
            "orders",
            &[
                column("id", Of::Integer),
                column("reference", Of::Text),
                column("status", Of::Text),
                column("inventory", Of::Text),
                column("inventory_url", Of::Text),
                column("deducts", Of::Integer),
                column("currency", Of::Text),
                column("decimals", Of::Small),
                column("lines", Of::Text),
                column("attributes", Of::Text),
                column("subtotal", Of::Integer),
                column("adjustments", Of::Text),
                column("receipt_attributes", Of::Text),
                column("total", Of::Integer),
                column("reason", Of::Text),
                column("trace_id", Of::Text),
                column("plugins", Of::Text),
                column("placed_at_ms", Of::Integer),
                column("ended_at_ms", Of::Integer),
            ],
        )
    },
    Table {
        has_host: true,
        ..table(
            "reservations",
            &[
                column("reference", Of::Text),
                column("state", Of::Text),
                column("at_ms", Of::Integer),
                column("round", Of::Integer),
                column("reopened", Of::Flag),
            ],
        )
    },
    Table {
        is_keyed_anew: true,
        ..table(
            "stock_movements",
            &[
                column("id", Of::Integer),
                column("reference", Of::Text),
                column("item", Of::Text),
                column("delta", Of::Integer),
                column("kind", Of::Text),
                column("at_ms", Of::Integer),
                column("round", Of::Integer),
                column("why", Of::Text),
            ],
        )
    },
    table(
        "checkout_answers",
        &[
            column("key", Of::Text),
            column("fingerprint", Of::Bytes),
            column("order_id", Of::Integer),
            column("status", Of::Small),
            column("body", Of::Bytes),
            column("at_ms", Of::Age),
        ],
    ),
    table(
        "deduct_answers",
        &[
            column("reference", Of::Text),
            column("fingerprint", Of::Bytes),
            column("status", Of::Small),
            column("body", Of::Bytes),
            column("at_ms", Of::Age),
        ],
    ),
    table(
        "plugin_versions",
        &[
            column("id", Of::Integer),
            column("kind", Of::Text),
            column("name", Of::Text),
            column("version", Of::Text),
            column("digest", Of::Text),
            column("bytes", Of::Integer),
            column("language", Of::Text),
            column("settings", Of::Text),
            column("state", Of::Text),
            column("action", Of::Text),
            column("changed_by", Of::Text),
            column("changed_at_ms", Of::Integer),
            column("origin", Of::Text),
        ],
    ),
    table(
        "plugin_events",
        &[
            column("id", Of::Integer),
            column("at_ms", Of::Integer),
            column("changed_by", Of::Text),
            column("action", Of::Text),
            column("kind", Of::Text),
            column("version_id", Of::Integer),
            column("detail", Of::Text),
        ],
    ),
    table("plugin_order", &[column("kind", Of::Text), column("names", Of::Text)]),
    table(
        "plugin_rollouts",
        &[
            column("id", Of::Integer),
            column("version_id", Of::Integer),
            column("plan", Of::Text),
            column("state", Of::Text),
            column("reason", Of::Text),
            column("started_by", Of::Text),
            column("started_at_ms", Of::Integer),
            column("changed_by", Of::Text),
            column("changed_at_ms", Of::Integer),
        ],
    ),
    table(
        "plugin_approvals",
        &[
            column("id", Of::Integer),
            column("action", Of::Text),
            column("kind", Of::Text),
            column("version_id", Of::Integer),
            column("names", Of::Text),
            column("state", Of::Text),
            column("reason", Of::Text),
            column("asked_by", Of::Text),
            column("asked_at_ms", Of::Integer),
            column("changed_by", Of::Text),
            column("changed_at_ms", Of::Integer),
        ],
    ),
    table("catalogue", &[column("part", Of::Integer), column("lines", Of::Bytes)]),
    Table {
        is_keyed_anew: true,
        ..table(
            "host_events",
            &[
                column("id", Of::Integer),
                column("at_ms", Of::Integer),
                column("host_name", Of::Text),
                column("what", Of::Text),
                column("detail", Of::Text),
            ],
        )
    },
];
