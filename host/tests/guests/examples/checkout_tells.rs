//! Says every text of the order wherever a plugin can say something: in log lines, prints, spans, their attributes and events, and in
//! the receipt. For who must not keep them.

use till_sdk::{Attribute, AttributeValue, Checkout, CheckoutError, Level, Order, Receipt, Span, deduct};

struct Tells;

till_sdk::checkout_plugin!(Tells);

impl Checkout for Tells {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let mut receipt = Receipt::plain(&order);
        let of_lines = order.lines.iter().flat_map(|line| &line.attributes);
        for (number, Attribute { key, value }) in order.attributes.iter().chain(of_lines).enumerate() {
            let text = if let AttributeValue::Text(text) = value { text } else { key };
            let said = AttributeValue::Text(text.clone());
            call.log(Level::Info, &format!("the customer says {text}"), &[(key, said.clone())]);
            #[expect(clippy::print_stdout, reason = "it becomes a log line")]
            {
                println!("printed: {text}");
            }
            call.set(key, said.clone());
            call.event(text, &[("said", said.clone())]);
            drop(call.child(text));
            receipt.attributes.push(Attribute { key: format!("said {number}"), value: said });
        }
        deduct(call, &order.stock_lines())?;
        Ok(receipt)
    }
}
