//! Loops before it is asked anything, in what runs when it is instantiated: refused, 422.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span};

struct StartLoop;

till_sdk::checkout_plugin!(StartLoop);

impl Checkout for StartLoop {
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
        loop {
            std::hint::spin_loop();
        }
    }
    start
};
