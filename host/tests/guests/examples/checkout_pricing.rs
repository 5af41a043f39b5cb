//! The pricing that the plugins in other languages have, as a measure for them: 10 % off from 3 pieces of one item, a
//! surcharge, a voucher that is split over the lines, and the tax within the prices, rounded as is set; the latter three by
//! setting.

use till_sdk::{
    Adjustment, Checkout, CheckoutError, Line, NumberError, Order, Receipt, Rounding, Span, amount_setting, deduct,
    minus, percent_of, plus, ratio_of, setting, split,
};

const PIECES_FOR_DISCOUNT: u32 = 3;
const DISCOUNT_PERCENT: u64 = 10;

struct Pricing;

till_sdk::checkout_plugin!(Pricing);

impl Checkout for Pricing {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let receipt = price(call, &order)?;
        deduct(call, &order.stock_lines())?;
        Ok(receipt)
    }
}

fn price(call: &Span, order: &Order) -> Result<Receipt, NumberError> {
    let span = call.child("price_cart");
    let mut adjustments = discounts(order)?;
    adjustments.extend(surcharge()?);
    adjustments.extend(vouchers(order)?);
    let mut receipt = Receipt::of(order, adjustments)?;
    span.set("cart.total", receipt.total);
    receipt.adjustments.extend(tax(receipt.total)?);
    Ok(receipt)
}

/// One for each item of which there are enough, in the order of their first lines.
fn discounts(order: &Order) -> Result<Vec<Adjustment>, NumberError> {
    let mut items: Vec<&str> = order.lines.iter().map(|line| &*line.item).collect();
    let mut seen = std::collections::HashSet::new();
    items.retain(|item| seen.insert(*item));
    items.into_iter().filter_map(|item| discount(order, item).transpose()).collect()
}

fn discount(order: &Order, item: &str) -> Result<Option<Adjustment>, NumberError> {
    let lines: Vec<_> = order.lines.iter().enumerate().filter(|(_, line)| line.item == item).collect();
    if lines.iter().map(|(_, line)| line.quantity).sum::<u32>() < PIECES_FOR_DISCOUNT {
        return Ok(None);
    }
    let cost = lines.iter().try_fold(0, |sum, (_, line)| plus(sum, line.cost()))?;
    let amount = percent_of(cost, DISCOUNT_PERCENT, Rounding::Down)?;
    let discount = Adjustment::subtract("discount", "10 % off from 3 pieces", amount);
    Ok(Some(match lines.as_slice() {
        [(index, _)] => discount.on_line(*index),
        _ => discount,
    }))
}

fn surcharge() -> Result<Option<Adjustment>, NumberError> {
    Ok(amount_setting("surcharge")?.map(|amount| Adjustment::add("surcharge", "Surcharge", amount)))
}

/// One for each line.
fn vouchers(order: &Order) -> Result<Vec<Adjustment>, NumberError> {
    let Some(amount) = amount_setting("voucher")? else { return Ok(Vec::new()) };
    let costs: Vec<u64> = order.lines.iter().map(Line::cost).collect();
    let parts = split(amount, &costs)?.into_iter().enumerate();
    Ok(parts.map(|(index, part)| Adjustment::subtract("voucher", "Voucher", part).on_line(index)).collect())
}

fn tax(total: u64) -> Result<Option<Adjustment>, NumberError> {
    let Some(percent) = amount_setting("tax_percent")? else { return Ok(None) };
    let rounding = match setting("tax_rounding").as_deref() {
        Some("down") => Rounding::Down,
        Some("half-even") => Rounding::HalfEven,
        Some("up") => Rounding::Up,
        _ => Rounding::HalfUp,
    };
    let amount = ratio_of(total, percent, plus(100, percent)?, rounding)?;
    let label = format!("{percent} % of {}", minus(total, amount)?);
    Ok(Some(Adjustment::included("tax", &label, amount)))
}
