//! Asks a carrier what it takes for a group of lines, and offers a flat rate when the carrier doesn't answer.
//!
//! The carrier is sent `{"country": "CA", "postal_code": "K1A 0B1", "grams": 1200}` and answers
//! `{"rates": [{"id": "standard", "name": "Standard", "price": "4.90", "days": [2, 4]}]}`; `days` may be missing.
//!
//! | setting | what it is | without it |
//! |---|---|---|
//! | `url` | where the carrier is asked, by POST; the operator has to grant it | an error |
//! | `secret` | the granted secret that goes into the header `authorization` | no such header |
//! | `flat_rate` | the cost of delivery when there is no answer, in whole units of the currency | then there are no options |

use till_sdk::hooks::delivery_options::Question;
use till_sdk::hooks::facts::Address;
use till_sdk::hooks::http::Request;
use till_sdk::hooks::{
    Currency, DayRange, DeliveryKind, DeliveryOption, DeliveryOptions, HookError, Json, Level, Line, Span, facts,
    only_settings, setting,
};

const TIMEOUT_MS: u32 = 1_500;
/// A checkout gets the rates of its quote for that long.
const CACHE_MS: u32 = 300_000;

struct CarrierRates;

till_sdk::delivery_options_plugin!(CarrierRates);

impl DeliveryOptions for CarrierRates {
    fn offer(call: &Span, question: Question) -> Result<Vec<DeliveryOption>, HookError> {
        only_settings(&["url", "secret", "flat_rate"])?;
        let url = setting("url");
        let url = url.text()?;
        let currency = &question.cart.currency;
        let flat_rate = setting("flat_rate").if_set(|it| it.amount(currency))?;
        // Without an address there is nothing to ask for yet.
        let Some(address) = facts::ship_to() else { return Ok(Vec::new()) };
        match rates(call, url, &question, &address) {
            Ok(options) => Ok(options),
            Err(error) => {
                let flat_rate = flat_rate.ok_or_else(|| error.clone())?;
                call.log(Level::Warn, "the carrier has no rates", &[("reason", said(error).into())]);
                Ok(vec![DeliveryOption::new("flat", "Delivery", DeliveryKind::Shipping, flat_rate)])
            }
        }
    }
}

/// # Errors
/// When there is no answer, or none that has rates.
fn rates(call: &Span, url: &str, question: &Question, address: &Address) -> Result<Vec<DeliveryOption>, HookError> {
    let request = Request::post_json(url, &asked(address, grams(question)));
    let request = match setting("secret").if_set(|it| it.text().map(ToOwned::to_owned))? {
        Some(secret) => request.secret("authorization", &secret),
        None => request,
    };
    let response = request.timeout_ms(TIMEOUT_MS).cache_ms(CACHE_MS).send(call)?;
    let answer = response.json().filter(|_| response.is_success());
    let options = answer.and_then(|answer| options(&answer, &question.cart.currency));
    options.ok_or_else(|| HookError::unavailable(format!("the carrier answered {} without rates", response.status)))
}

/// Returns what the lines weigh. What the catalogue doesn't know, or has no weight of, counts as nothing.
fn grams(question: &Question) -> u64 {
    let weights = facts::products_of(question.lines()).into_iter().map(|product| product?.weight_grams);
    let grams = |(line, weight): (&Line, Option<u32>)| u64::from(line.quantity) * u64::from(weight.unwrap_or(0));
    question.lines().zip(weights).map(grams).sum()
}

fn asked(address: &Address, grams: u64) -> Json {
    let postal_code = address.postal_code.as_deref().map_or(Json::Null, Json::from);
    let members =
        [("country", address.country_code.as_str().into()), ("postal_code", postal_code), ("grams", grams.into())];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns the options of an answer; none if a rate can't be read.
fn options(answer: &Json, currency: &Currency) -> Option<Vec<DeliveryOption>> {
    let Json::List(rates) = answer.at("rates") else { return None };
    let option = |rate: &Json| {
        let (id, name) = (rate.at("id").text()?, rate.at("name").text()?);
        let option = DeliveryOption::new(id, name, DeliveryKind::Shipping, rate.at("price").amount(currency)?);
        Some(DeliveryOption { days: days(rate.at("days")), ..option })
    };
    rates.iter().map(option).collect()
}

fn days(json: &Json) -> Option<DayRange> {
    let [earliest, latest] = json.items() else { return None };
    let day = |json: &Json| json.number().and_then(|day| u16::try_from(day).ok());
    Some(DayRange { earliest: day(earliest)?, latest: day(latest)? })
}

fn said(error: HookError) -> String {
    match error {
        HookError::Unavailable(text) | HookError::Other(text) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_or_there_are_none() {
        let currency = Currency { code: "USD".to_owned(), decimals: 2 };
        let check = |text: &str, expected: Option<&[(&str, u64)]>| {
            let found = Json::parse(text).and_then(|answer| options(&answer, &currency));
            let found: Option<Vec<(String, u64)>> =
                found.map(|options| options.into_iter().map(|option| (option.handle, option.cost)).collect());
            let expected =
                expected.map(|all| all.iter().map(|(id, cost)| ((*id).to_owned(), *cost)).collect::<Vec<_>>());
            assert_eq!(found, expected, "{text}");
        };
        check(r#"{"rates": [{"id": "a", "name": "A", "price": 4.9}]}"#, Some(&[("a", 490)]));
        check(r#"{"rates": []}"#, Some(&[]));
        check(r#"{"rates": [{"id": "a", "name": "A", "price": 4.999}]}"#, None);
        check("{}", None);
    }
}
