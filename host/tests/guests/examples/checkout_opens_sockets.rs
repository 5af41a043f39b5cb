//! A checkout plugin that tells the network of each sale: refused, 422, naming its import of `wasi:sockets`.

use std::net::{Ipv4Addr, TcpStream};

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};

struct ForeignImport;

till_sdk::checkout_plugin!(ForeignImport);

impl Checkout for ForeignImport {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        // An address that RFC 5737 keeps for documentation: there is nobody.
        let _ = TcpStream::connect((Ipv4Addr::new(192, 0, 2, 1), 80));
        Ok(Receipt::plain(&order))
    }
}
