//! Opens 100 timers of WASI in each call and never drops them: 200 again and again, in an instance that is reused. With the
//! attribute `more` it opens 300: 502 `trap`.

#![expect(unsafe_code, reason = "what std makes of WASI drops what it opens")]

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};
use till_test_guests::Live;

#[link(wasm_import_module = "wasi:clocks/monotonic-clock@0.2.6")]
unsafe extern "C" {
    #[link_name = "subscribe-duration"]
    fn subscribe_duration(nanoseconds: u64) -> i32;
}

struct KeepsHandles;

type Plugin = Live<KeepsHandles>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for KeepsHandles {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let more = order.attributes.iter().any(|attribute| attribute.key == "more");
        for _ in 0..if more { 300 } else { 100 } {
            // SAFETY: the import has this type.
            std::hint::black_box(unsafe { subscribe_duration(1) });
        }
        // What the component imports comes from what std uses.
        std::thread::sleep(std::time::Duration::from_nanos(1));
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
