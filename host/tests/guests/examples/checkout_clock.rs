//! Says what time it is and what it draws: 200 with labels of the wall clock's milliseconds before and after a sleep of
//! 1.5 s, of a hash with std's random keys, and of a random number. For shadows and for the order's moment.

use std::{
    hash::BuildHasher,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use till_sdk::{Adjustment, Checkout, CheckoutError, Order, Receipt, Span, deduct, random, sleep};

struct Clock;

till_sdk::checkout_plugin!(Clock);

impl Checkout for Clock {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let before = now_ms();
        sleep(Duration::from_millis(1_500));
        let hash = std::collections::HashMap::<u8, u8>::new().hasher().hash_one("tea");
        let said = [before.to_string(), now_ms().to_string(), hash.to_string(), random().to_string()];
        let said = said.iter().map(|label| Adjustment::included("clock", label, 0));
        let receipt = Receipt::of(&order, said.collect())?;
        deduct(call, &order.stock_lines())?;
        Ok(receipt)
    }
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}
