//! Checks a shared store's rows by the shop's rules, while hosts serve or not. Changes nothing.

use super::{
    Examined, Finding,
    host::is_synchronous,
    link::{Failed, Session},
    transaction::rows,
};

/// A rule of the rows. The query returns a text for each row that breaks it.
struct Rule {
    is_fault: bool,
    what: &'static str,
    query: &'static str,
    advice: &'static str,
}

/// The most rows that a finding names.
const NAMED_MAX: usize = 5;

const KEEP: &str = "something else wrote to the database: find out what, and restore a backup beside it to compare";

const RULES: &[Rule] = &[
    Rule {
        is_fault: true,
        what: "stock that its ledger doesn't explain",
        query: "WITH moved AS (SELECT item, sum(delta) AS pieces FROM stock_movements GROUP BY item)
                SELECT item || ': ' || on_hand || ' on hand, ' || opening + coalesce(pieces, 0) || ' by the ledger'
                FROM stock LEFT JOIN moved USING (item) WHERE on_hand <> opening + coalesce(pieces, 0) ORDER BY item",
        advice: KEEP,
    },
    Rule {
        is_fault: true,
        what: "completed orders whose stock isn't final",
        query: "SELECT reference FROM orders WHERE status = 'COMPLETED' AND inventory = 'local'
                AND NOT EXISTS (SELECT 1 FROM reservations WHERE reservations.reference = orders.reference AND state = 'final')",
        advice: KEEP,
    },
    Rule {
        is_fault: true,
        what: "orders that failed and still have stock",
        query: "SELECT orders.reference FROM orders JOIN reservations USING (reference)
                WHERE status = 'FAILED' AND inventory = 'local' AND state <> 'released'",
        advice: KEEP,
    },
    Rule {
        is_fault: true,
        what: "movements of references or items that aren't there",
        query: "SELECT coalesce(reference, '-') || ' ' || item FROM stock_movements AS moved
                WHERE NOT EXISTS (SELECT 1 FROM stock WHERE stock.item = moved.item)
                   OR reference IS NOT NULL
                      AND NOT EXISTS (SELECT 1 FROM reservations WHERE reservations.reference = moved.reference)",
        advice: KEEP,
    },
    Rule {
        is_fault: true,
        what: "answers to orders that aren't there",
        query: "SELECT key FROM checkout_answers WHERE NOT EXISTS (SELECT 1 FROM orders WHERE id = order_id)",
        advice: KEEP,
    },
    Rule {
        is_fault: false,
        what: "orders without an end whose host is dead",
        query: "SELECT reference FROM orders WHERE ended_at_ms IS NULL AND status = 'PENDING'
                AND NOT EXISTS (SELECT 1 FROM hosts WHERE hosts.id = host AND until > clock_timestamp())",
        advice: "nothing: any host that serves settles them within seconds",
    },
    Rule {
        is_fault: false,
        what: "remote orders that wait for their release",
        query: "SELECT reference FROM orders WHERE status = 'PENDING_RELEASE'",
        advice: "nothing: hosts with INVENTORY_URL ask for it until it is confirmed",
    },
];

/// Returns what is wrong with the rows.
pub(super) async fn examine(client: &Session) -> Result<Examined, Failed> {
    let count = rows(client, "SELECT count(*) FROM orders", &[]).await?;
    let mut examined =
        Examined { orders: count.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()), findings: Vec::new() };
    for Rule { is_fault, what, query, advice } in RULES {
        let found = rows(client, query, &[]).await?;
        if found.is_empty() {
            continue;
        }
        let named: Vec<String> = found.iter().take(NAMED_MAX).map(|row| row.get(0)).collect();
        let more = if found.len() > NAMED_MAX { ", …" } else { "" };
        let what = format!("{} {what}: {}{more}", found.len(), named.join(", "));
        examined.findings.push(Finding { is_fault: *is_fault, what, advice });
    }
    if let Ok(Some(false)) = is_synchronous(client).await {
        examined.findings.push(Finding {
            is_fault: false,
            what: "the database has no synchronous standby: the loss of its machine loses the newest orders".into(),
            advice: "set synchronous_standby_names there, and store.require_synchronous=on here",
        });
    }
    Ok(examined)
}
