//! The stock and its ledger: what moves a piece writes both.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use super::{
    link::{Failed, Session},
    transaction::{Parameters, change, rows},
};

/// Movements of pieces under references, as the columns of the ledger.
#[derive(Default)]
pub(super) struct Movements {
    references: Vec<String>,
    rounds: Vec<i64>,
    items: Vec<String>,
    deltas: Vec<i64>,
}

/// Why pieces move, as the ledger has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Why {
    Reserved,
    Released,
}

impl Movements {
    pub(super) fn add(&mut self, reference: &str, round: i64, item: &str, delta: i64) {
        self.references.push(reference.to_owned());
        self.rounds.push(round);
        self.items.push(item.to_owned());
        self.deltas.push(delta);
    }

    /// Returns the items that are moved, each once, by name.
    pub(super) fn items(&self) -> Vec<&str> {
        self.sums().into_keys().collect()
    }

    /// Changes the stock, whose rows are locked, and notes it in the ledger. Both statements are sent at once.
    pub(super) async fn write(&self, client: &Session, why: Why, now_ms: i64) -> Result<(), Failed> {
        if self.items.is_empty() {
            return Ok(());
        }
        let (items, sums): (Vec<&str>, Vec<i64>) = self.sums().into_iter().unzip();
        let why = match why {
            Why::Reserved => "reserved",
            Why::Released => "released",
        };
        let change_stock = "UPDATE stock SET on_hand = on_hand + moved.pieces
                            FROM unnest($1, $2) AS moved(item, pieces) WHERE stock.item = moved.item";
        let note = "INSERT INTO stock_movements (reference, item, delta, kind, at_ms, round)
                    SELECT reference, item, delta, $5, $6, round
                    FROM unnest($1, $2, $3, $4) AS moved(reference, item, delta, round)";
        let sums: &Parameters<'_> = &[(&items, Type::TEXT_ARRAY), (&sums, Type::INT8_ARRAY)];
        let movements: &Parameters<'_> = &[
            (&self.references, Type::TEXT_ARRAY),
            (&self.items, Type::TEXT_ARRAY),
            (&self.deltas, Type::INT8_ARRAY),
            (&self.rounds, Type::INT8_ARRAY),
            (&why, Type::TEXT),
            (&now_ms, Type::INT8),
        ];
        tokio::try_join!(biased; change(client, change_stock, sums), change(client, note, movements))?;
        Ok(())
    }

    fn sums(&self) -> BTreeMap<&str, i64> {
        let mut sums = BTreeMap::new();
        for (item, delta) in self.items.iter().zip(&self.deltas) {
            *sums.entry(item.as_str()).or_default() += delta;
        }
        sums
    }
}

/// Locks the items' rows until the transaction's end, in the order of their names, and returns what is on hand.
pub(super) async fn lock_stock(client: &Session, items: &[&str]) -> Result<BTreeMap<String, i64>, Failed> {
    if items.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = "SELECT item, on_hand FROM stock WHERE item = ANY($1) ORDER BY item FOR NO KEY UPDATE";
    let stock = rows(client, sql, &[(&items, Type::TEXT_ARRAY)]).await?;
    Ok(stock.iter().map(|row| (row.get(0), row.get(1))).collect())
}
