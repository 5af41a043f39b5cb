//! Looks through its memory and 4 MiB more of it for the secret of the call before, then leaves 1 MiB of it for the next
//! one: 200. A secret found is a panic, 502 `trap`, and a defect of the host.
//!
//! The same component gets the same place in the host's pool again, which is where memory is most likely to be left.

#![cfg(target_arch = "wasm32")]
#![expect(clippy::panic, reason = "to panic is how it tells the test")]

use core::arch::wasm32::{memory_grow, memory_size};
use std::hint::black_box;

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};

/// A constant in the code, so it stands in no memory of this guest before it is left there.
const SECRET: u64 = 0x7e51_d0e5_ec2e_7001;
const PAGE_BYTES: usize = 64 * 1024;
const PAGES_MORE: usize = 64;
const MIB: usize = 1024 * 1024;

struct Residue;

till_sdk::checkout_plugin!(Residue);

impl Checkout for Residue {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let fresh = memory_grow::<0>(PAGES_MORE);
        if fresh == usize::MAX {
            return Err(CheckoutError::Other("no memory to look at".to_owned()));
        }
        let mut addresses = (PAGE_BYTES..memory_size::<0>() * PAGE_BYTES).step_by(size_of::<u64>());
        if let Some(address) = addresses.find(|address| word(*address) == SECRET) {
            panic!("another call's secret at {address:#x}");
        }
        leave(fresh * PAGE_BYTES);
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}

#[expect(unsafe_code, reason = "an address below memory.size can always be read")]
fn word(address: usize) -> u64 {
    unsafe { std::ptr::with_exposed_provenance::<u64>(address).read_volatile() }
}

/// Leaves the secret in pages that are this call's own, and where an allocator would put it.
#[expect(unsafe_code, reason = "pages that memory.grow has just given are nobody else's")]
fn leave(fresh: usize) {
    for address in (fresh..fresh + MIB).step_by(size_of::<u64>()) {
        unsafe { std::ptr::with_exposed_provenance_mut::<u64>(address).write_volatile(SECRET) };
    }
    std::mem::forget(black_box(vec![SECRET; MIB / size_of::<u64>()]));
}
