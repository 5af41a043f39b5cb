//! A percentage off an item from so many pieces on, over all lines of the item.
//!
//! | setting | what it is | without it |
//! |---|---|---|
//! | `tiers` | JSON: `[{"from": 5, "percent": 10}, {"from": 10, "percent": "12.5"}]`; the one with the most pieces counts | an error |
//! | `items` | the items, with commas between | all items |

use till_sdk::hooks::discounts::{Candidate, Decision, Offer, Value};
use till_sdk::hooks::{
    Cart, Choice, Discounts, HookError, Json, PartsPerMillion, Span, only_settings, percent_text, setting,
};

struct VolumeDiscount;

till_sdk::discounts_plugin!(VolumeDiscount);

impl Discounts for VolumeDiscount {
    fn decide(_call: &Span, cart: Cart) -> Result<Decision, HookError> {
        only_settings(&["tiers", "items"])?;
        let tiers = setting("tiers").read("a list of from and percent", tiers)?;
        Ok(decision(&cart, &tiers, &setting("items").list()))
    }
}

struct Tier {
    from: u64,
    percent: PartsPerMillion,
}

/// Returns one candidate for each item of which there are enough; all of them count.
fn decision(cart: &Cart, tiers: &[Tier], items: &[String]) -> Decision {
    let counts = |item: &str| items.is_empty() || items.iter().any(|counted| counted == item);
    let candidates = distinct_items(cart).into_iter().filter(|item| counts(item)).filter_map(|item| {
        let pieces = u64::from(cart.pieces_of(item));
        let tier = tiers.iter().filter(|tier| tier.from <= pieces).max_by_key(|tier| tier.from)?;
        let title = format!("{} % off from {} pieces", percent_text(tier.percent), tier.from);
        let lines = cart.lines.iter().filter(|line| line.item == item);
        Candidate::off_lines(&title, Value::Percentage(tier.percent), lines)
    });
    Offer::of(Choice::All, candidates).into()
}

/// Returns each item once, in the order of their first lines.
fn distinct_items(cart: &Cart) -> Vec<&str> {
    let mut items: Vec<&str> = Vec::new();
    for line in &cart.lines {
        if !items.contains(&line.item.as_str()) {
            items.push(&line.item);
        }
    }
    items
}

fn tiers(text: &str) -> Option<Vec<Tier>> {
    let tier = |json: &Json| Some(Tier { from: json.at("from").number()?, percent: json.at("percent").percent()? });
    Json::parse(text)?.items().iter().map(tier).collect()
}

#[cfg(test)]
mod tests {
    use super::tiers;

    #[test]
    fn tiers_are_all_read_or_none() {
        let check = |text: &str, expected: Option<&[(u64, u32)]>| {
            let found = tiers(text).map(|tiers| tiers.iter().map(|tier| (tier.from, tier.percent)).collect::<Vec<_>>());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check(r#"[{"from": 5, "percent": 10}, {"from": 10, "percent": "12.5"}]"#, Some(&[(5, 100_000), (10, 125_000)]));
        check("[]", Some(&[]));
        check(r#"[{"from": 5, "percent": 10}, {"from": 10}]"#, None);
        check(r#"[{"from": 5, "percent": 101}]"#, None);
        check("5 pieces", None);
    }
}
