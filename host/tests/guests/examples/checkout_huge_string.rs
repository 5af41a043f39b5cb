//! Deducts, then answers a receipt with a label of 60 MiB: 502 `bad_output`, the order FAILED and the stock back.

#![cfg(target_arch = "wasm32")]

use core::arch::wasm32::memory_grow;

use till_sdk::{Adjustment, Checkout, CheckoutError, Effect, Order, Receipt, Span, deduct};
use till_test_guests::Live;

const PAGE_BYTES: usize = 64 * 1024;
const PAGES: usize = 60 * 16;

struct HugeString;

type Plugin = Live<HugeString>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for HugeString {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        let label = huge_string().ok_or_else(|| CheckoutError::Other("no memory for the label".to_owned()))?;
        let huge = Adjustment { effect: Effect::Included, category: "tax".to_owned(), label, amount: 0, line: None };
        Ok(Receipt { adjustments: vec![huge], ..Receipt::plain(&order) })
    }
}

/// Returns fresh pages as text. Nothing writes to them, for filling 60 MiB could reach the CPU limit first.
#[expect(unsafe_code, reason = "fresh pages are zeros, which is UTF-8; the call ends before anything frees them")]
fn huge_string() -> Option<String> {
    let page = memory_grow::<0>(PAGES);
    let start = std::ptr::with_exposed_provenance_mut(page.checked_mul(PAGE_BYTES)?);
    Some(unsafe { String::from_raw_parts(start, PAGES * PAGE_BYTES, PAGES * PAGE_BYTES) })
}
