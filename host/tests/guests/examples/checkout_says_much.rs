//! Says what its attributes `where` and `what` name, in an answer that is sound otherwise: 502 `bad_output` where that is
//! too long or has control characters, is empty where there has to be a word, or where there are too many of them.

use till_sdk::{
    Adjustment, Attribute, AttributeValue, Checkout, CheckoutError, Effect, Order, Receipt, Rejection, Shortage, Span,
    deduct,
};

struct SaysMuch;

till_sdk::checkout_plugin!(SaysMuch);

impl Checkout for SaysMuch {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let said = |key: &str| match order.attributes.iter().find(|attribute| attribute.key == key).map(|a| &a.value) {
            Some(AttributeValue::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let text = match said("what").as_str() {
            "long" => "x".repeat(255 * 1024),
            "just right" => "x".repeat(1_024),
            "one more" => "x".repeat(1_025),
            "nul" => "\0".to_owned(),
            "escape" => "\u{1b}[2J".to_owned(),
            "lines" => "one\ntwo".to_owned(),
            "empty" => String::new(),
            _ => "fine".to_owned(),
        };
        let item = order.lines.first().map(|line| line.item.clone()).unwrap_or_default();
        let shortage = |item: &str, requested, available| {
            Err(CheckoutError::OutOfStock(Shortage { item: item.to_owned(), requested, available }))
        };
        let mut receipt = Receipt::plain(&order);
        let adjustment = |category: &str, label: &str| Adjustment {
            effect: Effect::Included,
            category: category.to_owned(),
            label: label.to_owned(),
            amount: 0,
            line: None,
        };
        match said("where").as_str() {
            "label" => receipt.adjustments.push(adjustment("tax", &text)),
            "category" => receipt.adjustments.push(adjustment(&text, "a tax")),
            "key" => receipt.attributes.push(Attribute { key: text, value: true.into() }),
            "attribute" => receipt.attributes.push(Attribute { key: "note".to_owned(), value: text.into() }),
            "code" => return Err(CheckoutError::Rejected(Rejection { code: text, message: "no".to_owned() })),
            "message" => return Err(CheckoutError::Rejected(Rejection { code: "no".to_owned(), message: text })),
            "conflict" => return Err(CheckoutError::Conflict(text)),
            "unavailable" => return Err(CheckoutError::Unavailable(text)),
            "other" => return Err(CheckoutError::Other(text)),
            "adjustments" => receipt.adjustments = vec![adjustment("tax", "a tax"); said("what").parse().unwrap_or(0)],
            "attributes" => {
                let attribute = Attribute { key: "note".to_owned(), value: true.into() };
                receipt.attributes = vec![attribute; said("what").parse().unwrap_or(0)];
            }
            "short of none" => return shortage(&item, 1, u32::MAX),
            "short of what suffices" => return shortage(&item, 1, 1),
            "short of more than was asked" => return shortage(&item, 2, 1),
            "short of something else" => return shortage("somethingelse", 1, 0),
            "short" => return shortage(&item, 1, 0),
            _ => {}
        }
        deduct(call, &order.stock_lines())?;
        Ok(receipt)
    }
}
