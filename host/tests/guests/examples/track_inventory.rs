//! Uses all that an inventory plugin has of the interface, as `track_checkout` does. An item named like an error is
//! answered with that.

use std::time::Duration;

use till_sdk::{
    Inventory, InventoryError, Level, Rejection, Shortage, Span, StockLevel, StockLine, level, random, setting, sleep,
    take,
};

struct Track;

till_sdk::inventory_plugin!(Track);

impl Inventory for Track {
    fn deduct(call: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        let looking = call.child("look_up_stock");
        sleep(Duration::from_millis(1));
        looking.annotate(&[
            ("setting.greeting", setting("greeting").unwrap_or_default().into()),
            ("random.in_range", (0.0..1.0).contains(&random()).into()),
            ("level.unknown", level(&looking, "no such item").is_none().into()),
        ]);
        for line in &lines {
            let found = level(&looking, &line.item).map(f64::from);
            looking.event("level", &[("pieces", found.unwrap_or(-1.0).into())]);
            if let Some(error) = named(&line.item) {
                return Err(error);
            }
        }
        looking.log(Level::Info, "stock looked up", &[]);
        drop(looking);
        Ok(take(call, &lines)?)
    }
}

fn named(item: &str) -> Option<InventoryError> {
    let why = || format!("asked for {item}");
    Some(match item {
        "out-of-stock" => InventoryError::OutOfStock(Shortage { item: item.to_owned(), requested: 3, available: 1 }),
        "rejected" => InventoryError::Rejected(Rejection { code: "track".to_owned(), message: why() }),
        "conflict" => InventoryError::Conflict(why()),
        "unavailable" => InventoryError::Unavailable(why()),
        "other" => InventoryError::Other(why()),
        _ => return None,
    })
}
