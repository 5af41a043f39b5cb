//! Asks for a setting before it is asked anything, in what runs when it is instantiated: refused, 422.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span};

struct StartHostCall;

till_sdk::checkout_plugin!(StartHostCall);

impl Checkout for StartHostCall {
    fn checkout(_: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        Ok(Receipt::plain(&order))
    }
}

#[expect(unsafe_code, reason = "a constructor is what a linker finds under this name")]
#[cfg(target_arch = "wasm32")]
#[unsafe(link_section = ".init_array")]
#[used]
static START: extern "C" fn() = {
    extern "C" fn start() {
        _ = till_sdk::setting("anything");
    }
    start
};
