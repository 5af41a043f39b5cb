//! Tax by where the goods go and by the catalogue's tax category.
//!
//! | setting | what it is | without it |
//! |---|---|---|
//! | `rates` | JSON by country or country and province: `{"CA-ON": {"standard": 13, "food": 0}, "DE": {"standard": 19}}` | an error |
//! | `home` | the place that counts while there is no address, such as `CA-ON` | then nothing is taxed |
//! | `included` | `on` if prices hold the tax already | it is added |
//! | `name` | what the tax is called | `Tax` |
//!
//! A province comes before its country. The category `standard` counts for what has no category, and for categories
//! without a rate; delivery has the category `delivery`. A place without rates has no tax. Each tax is rounded half up.

use till_sdk::Rounding;
use till_sdk::hooks::facts::{Address, ship_to};
use till_sdk::hooks::tax::{Question, Subject, TaxLine, Taxable};
use till_sdk::hooks::{HookError, Json, PartsPerMillion, Span, Tax, only_settings, percent_text, setting};

struct ProvinceTax;

till_sdk::tax_plugin!(ProvinceTax);

impl Tax for ProvinceTax {
    fn assess(_call: &Span, question: Question) -> Result<Vec<TaxLine>, HookError> {
        only_settings(&["rates", "home", "included", "name"])?;
        let rates = setting("rates").read("JSON by country", places)?;
        let home = setting("home").if_set(|it| it.text().map(ToOwned::to_owned))?;
        let place = ship_to().map(|address| place(&address)).or(home).unwrap_or_default();
        let included = setting("included").flag()?;
        let name = setting("name").or("Tax");
        let name = name.text()?;
        let assess = |taxable: &Taxable| {
            let rate = rate(&rates, &place, taxable)?;
            let title = format!("{name} {} %", percent_text(rate));
            let line = if included { TaxLine::included } else { TaxLine::added };
            Ok(line(taxable, &title, rate, Rounding::HalfUp)?)
        };
        question.taxables.iter().map(assess).collect()
    }
}

/// Returns the rates if they are an object: of anything else nothing would be taxed.
fn places(text: &str) -> Option<Json> {
    Json::parse(text).filter(|rates| matches!(rates, Json::Object(_)))
}

fn place(address: &Address) -> String {
    match &address.province_code {
        Some(province) => format!("{}-{province}", address.country_code),
        None => address.country_code.clone(),
    }
}

/// Returns the rate of what is taxed at a place.
///
/// # Errors
/// When a rate isn't a percentage, or a place with rates has none for the category and no standard one.
fn rate(rates: &Json, place: &str, taxable: &Taxable) -> Result<PartsPerMillion, HookError> {
    let country = place.split('-').next().unwrap_or_default();
    let at = [place, country].into_iter().map(|place| rates.at(place)).find(|at| **at != Json::Null);
    let Some(at) = at else { return Ok(0) };
    let category = match taxable.subject {
        Subject::Line(_) => taxable.category.as_deref().unwrap_or("standard"),
        Subject::Delivery(_) => "delivery",
    };
    let rate = [category, "standard"].into_iter().map(|category| at.at(category)).find(|rate| **rate != Json::Null);
    let error = || HookError::other(format!("the setting rates has no percentage for {category} at {place}"));
    rate.and_then(Json::percent).ok_or_else(error)
}
