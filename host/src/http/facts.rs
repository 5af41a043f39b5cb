//! What a request says beside its cart: who buys, the addresses, the language, the codes.
//!
//! An error names the member by its JSON pointer and says nothing of its value, because it is a personal detail.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value, json, value::RawValue};

use super::{body::present, problem::Problem};
#[cfg(test)]
use crate::schema;
use crate::{
    facts::{Address, Customers, Locale, Said},
    order::{Form, check_text},
};

/// The most codes of a request, as in the plugins' interface.
const CODES_MAX: usize = 16;
const CODE_BYTES_MAX: usize = 64;
/// The most lines of an address beside its named parts.
const ADDRESS_LINES_MAX: usize = 8;
/// The longest part of an address, bytes.
const PART_BYTES_MAX: usize = 255;
/// The longest postal code and phone number, bytes.
const SHORT_BYTES_MAX: usize = 32;

/// A text. serde would repeat a value of another type in its error.
pub(super) struct Text(String);

/// Texts, as [`Text`].
#[derive(Default)]
pub(super) struct Texts(Vec<String>);

/// The members of a body that say it. A body has them beside its cart.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenFacts {
    #[serde(default, deserialize_with = "present")]
    pub(super) customer_token: Option<Text>,
    #[serde(default, deserialize_with = "address")]
    pub(super) shipping_address: Option<WrittenAddress>,
    #[serde(default, deserialize_with = "address")]
    pub(super) billing_address: Option<WrittenAddress>,
    #[serde(default, deserialize_with = "present")]
    pub(super) locale: Option<Text>,
    #[serde(default)]
    pub(super) codes: Texts,
}

/// An address as a client wrote it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Address"))]
pub(super) struct WrittenAddress {
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::AddressPart"))]
    name: Option<Text>,
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::AddressPart"))]
    company: Option<Text>,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<schema::AddressPart>", length(max = ADDRESS_LINES_MAX)))]
    lines: Texts,
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::AddressPart"))]
    city: Option<Text>,
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "String", regex(pattern = "^[A-Z0-9]{1,3}$")))]
    province_code: Option<Text>,
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::AddressCode"))]
    postal_code: Option<Text>,
    #[cfg_attr(test, schemars(with = "String", regex(pattern = "^[A-Z]{2}$")))]
    country_code: Text,
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::AddressCode"))]
    phone: Option<Text>,
}

/// What a request says beside its cart, checked. The customer's token is checked with [`said`](Self::said).
#[derive(Default)]
pub(super) struct AskedFacts {
    customer_token: Option<String>,
    ship_to: Option<Address>,
    bill_to: Option<Address>,
    locale: Option<Locale>,
    /// The codes that the customer entered, as typed.
    codes: Vec<String>,
}

impl std::fmt::Debug for AskedFacts {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("AskedFacts(…)")
    }
}

impl WrittenFacts {
    /// # Errors
    /// 422, with the pointer of the member that isn't acceptable.
    pub(super) fn checked(self) -> Result<AskedFacts, Problem> {
        let Self { customer_token, shipping_address, billing_address, locale, codes } = self;
        let Texts(codes) = codes;
        let locale = locale.map(|Text(tag)| Locale::parse(&tag).ok_or_else(|| refused("/locale", Locale::RULE)));
        check_codes(&codes)?;
        Ok(AskedFacts {
            customer_token: customer_token.map(text),
            ship_to: shipping_address.map(|address| address.checked("/shipping_address")).transpose()?,
            bill_to: billing_address.map(|address| address.checked("/billing_address")).transpose()?,
            locale: locale.transpose()?,
            codes,
        })
    }
}

impl AskedFacts {
    /// Returns what a quote and the checkout after it have to have in common. The token isn't part of it: it is renewed.
    pub(super) fn canonical(&self) -> Option<Value> {
        let Self { ship_to, bill_to, locale, codes, .. } = self;
        if ship_to.is_none() && bill_to.is_none() && locale.is_none() && codes.is_empty() {
            return None;
        }
        let address = |address: &Option<Address>| address.as_ref().map(canonical);
        Some(json!([address(ship_to), address(bill_to), locale.as_ref().map(Locale::as_str), codes]))
    }

    pub(super) fn codes(&self) -> &[String] {
        &self.codes
    }

    /// Returns what the facts of the request are made of.
    ///
    /// # Errors
    /// 422 for a token that isn't taken. A customer whose token has expired isn't sold to as somebody unknown.
    pub(super) fn said(self, customers: &Customers) -> Result<Said, Problem> {
        let Self { customer_token, ship_to, bill_to, locale, codes: _ } = self;
        let buyer = customer_token.map(|token| customers.read(&token)).transpose();
        let buyer = buyer.map_err(|bad| refused("/customer_token", &bad.to_string()))?;
        Ok(Said { buyer, ship_to, bill_to, locale })
    }
}

impl WrittenAddress {
    fn checked(self, at: &str) -> Result<Address, Problem> {
        let Self { name, company, lines, city, province_code, postal_code, country_code, phone } = self;
        let (Text(country_code), Texts(lines)) = (country_code, lines);
        let [name, company, city, province_code, postal_code, phone] =
            [name, company, city, province_code, postal_code, phone].map(|part| part.map(text));
        if country_code.len() != 2 || !country_code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(refused(&format!("{at}/country_code"), "write two capital letters of ISO 3166-1, such as CA"));
        }
        if lines.len() > ADDRESS_LINES_MAX {
            return Err(refused(&format!("{at}/lines"), &format!("there are {ADDRESS_LINES_MAX} lines at most")));
        }
        for (index, line) in lines.iter().enumerate() {
            check(&format!("{at}/lines/{index}"), line, PART_BYTES_MAX)?;
        }
        let parts = [
            ("name", &name, PART_BYTES_MAX),
            ("company", &company, PART_BYTES_MAX),
            ("city", &city, PART_BYTES_MAX),
            ("postal_code", &postal_code, SHORT_BYTES_MAX),
            ("phone", &phone, SHORT_BYTES_MAX),
        ];
        for (member, part, bytes_max) in parts {
            part.iter().try_for_each(|part| check(&format!("{at}/{member}"), part, bytes_max))?;
        }
        let is_province = |code: &String| {
            (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        if !province_code.as_ref().is_none_or(is_province) {
            let rule = "write the letters and digits of ISO 3166-2 behind the country's, such as ON";
            return Err(refused(&format!("{at}/province_code"), rule));
        }
        Ok(Address { name, company, lines, city, province_code, postal_code, country_code, phone })
    }
}

fn canonical(address: &Address) -> Value {
    let Address { name, company, lines, city, province_code, postal_code, country_code, phone } = address;
    json!([name, company, lines, city, province_code, postal_code, country_code, phone])
}

fn check_codes(codes: &[String]) -> Result<(), Problem> {
    if codes.len() > CODES_MAX {
        return Err(refused("/codes", &format!("there are {CODES_MAX} codes at most")));
    }
    let mut numbered = codes.iter().enumerate();
    numbered.try_for_each(|(index, code)| check(&format!("/codes/{index}"), code, CODE_BYTES_MAX))
}

/// Checks that a text is a line that isn't empty.
fn check(pointer: &str, text: &str, bytes_max: usize) -> Result<(), Problem> {
    let rule = || format!("write a line of 1 to {bytes_max} bytes without control characters");
    check_text(text, Form::Word, bytes_max).map_err(|_| refused(pointer, &rule()))
}

fn refused(pointer: &str, what: &str) -> Problem {
    Problem::unacceptable(format!("{pointer}: {what}"))
}

fn text(Text(text): Text) -> String {
    text
}

/// Reads an address that may be absent but not `null`.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<WrittenAddress>, D::Error> {
    let json = <Box<RawValue>>::deserialize(deserializer)?;
    if !json.get().starts_with('{') {
        return Err(D::Error::custom("an address is an object"));
    }
    serde_json::from_str(json.get()).map(Some).map_err(D::Error::custom)
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <Box<RawValue>>::deserialize(deserializer)?;
        serde_json::from_str(json.get()).map(Self).map_err(|_| D::Error::custom("a text is wanted"))
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <Box<RawValue>>::deserialize(deserializer)?;
        serde_json::from_str(json.get()).map(Self).map_err(|_| D::Error::custom("an array of texts is wanted"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config, http::body::parse_json};

    fn read(body: &str) -> Result<AskedFacts, Problem> {
        parse_json::<WrittenFacts>(body.as_bytes())?.checked()
    }

    fn nobody() -> Customers {
        let settings = config::Customers { keys_file: None, audience: None, issuer: None, lifetime_max_s: 60 };
        Customers::new(&settings).expect("no keys")
    }

    #[test]
    fn a_request_says_where_to_and_in_which_language() {
        let asked = read(
            r#"{"codes":["WELCOME10","welcome10"],"locale":"en-CA",
                "shipping_address":{"name":"Ada","company":"AE","lines":["12 St James's Square","2nd floor"],"city":"Ottawa",
                                    "province_code":"ON","postal_code":"K1A 0B1","country_code":"CA","phone":"555"},
                "billing_address":{"country_code":"GB"}}"#,
        )
        .expect("is fine");
        assert_eq!(asked.codes(), ["WELCOME10", "welcome10"]);
        assert!(!format!("{asked:?}").contains("Ada"));
        let said = asked.said(&nobody()).expect("no token");
        let expected = Address {
            name: Some("Ada".into()),
            company: Some("AE".into()),
            lines: vec!["12 St James's Square".into(), "2nd floor".into()],
            city: Some("Ottawa".into()),
            province_code: Some("ON".into()),
            postal_code: Some("K1A 0B1".into()),
            phone: Some("555".into()),
            ..Address::in_country("CA")
        };
        assert!(said.ship_to == Some(expected) && said.bill_to == Some(Address::in_country("GB")));
        assert_eq!((said.locale, said.buyer.is_none()), (Locale::parse("en-CA"), true));
        let nothing = read("{}").expect("is fine").said(&nobody()).expect("no token");
        assert!(nothing.ship_to.is_none() && nothing.bill_to.is_none() && nothing.locale.is_none());
    }

    #[test]
    fn what_is_not_acceptable_is_named_by_its_pointer_and_not_repeated() {
        let check = |body: &str, expected: &str| {
            let problem = read(body).expect_err(body);
            assert_eq!(problem.status().as_u16(), if expected.starts_with("duplicate") { 400 } else { 422 }, "{body}");
            assert!(problem.detail().starts_with(expected), "{body}: {}", problem.detail());
            assert!(!problem.detail().contains("Ada"), "{}", problem.detail());
        };
        let long = "Ada".repeat(100);
        check(r#"{"locale":"Ada_x"}"#, "/locale: a locale is a language tag");
        check(r#"{"locale":null}"#, "a text is wanted");
        check(r#"{"customer_token":["Ada"]}"#, "a text is wanted");
        check(&format!(r#"{{"codes":["a","{long}"]}}"#), "/codes/1: write a line of 1 to 64 bytes");
        check(r#"{"codes":[""]}"#, "/codes/0: ");
        check(&format!(r#"{{"codes":[{}]}}"#, vec![r#""a""#; 17].join(",")), "/codes: there are 16 codes at most");
        check(r#"{"codes":"Ada"}"#, "an array of texts is wanted");
        let address = |members: &str, expected: &str| {
            check(&format!(r#"{{"shipping_address":{{{members}}}}}"#), expected);
            check(&format!(r#"{{"billing_address":{{{members}}}}}"#), &expected.replace("shipping", "billing"));
        };
        address(r#""name":"Ada""#, "missing field `country_code`");
        address(r#""country_code":"ca""#, "/shipping_address/country_code: write two capital letters");
        address(r#""country_code":"CAN""#, "/shipping_address/country_code: ");
        address(r#""country_code":"CA","province_code":"Ontario""#, "/shipping_address/province_code: ");
        address(r#""country_code":"CA","name":"Ada\n""#, "/shipping_address/name: ");
        address(
            &format!(r#""country_code":"CA","phone":"{long}""#),
            "/shipping_address/phone: write a line of 1 to 32 bytes",
        );
        address(&format!(r#""country_code":"CA","lines":["a","{long}"]"#), "/shipping_address/lines/1: ");
        address(
            r#""country_code":"CA","lines":["1","2","3","4","5","6","7","8","9"]"#,
            "/shipping_address/lines: there are 8",
        );
        address(r#""country_code":"CA","street":"Ada""#, "unknown field `street`");
        address(r#""country_code":"CA","country_code":"CA""#, "duplicate field");
        for other in [r#"["Ada"]"#, r#""Ada""#, "null", "7"] {
            check(&format!(r#"{{"shipping_address":{other}}}"#), "an address is an object");
        }
        address(r#""country_code":"CA","lines":"Ada""#, "an array of texts is wanted");
        address(r#""country_code":"CA","city":["Ada"]"#, "a text is wanted");

        let refused =
            read(r#"{"customer_token":"Ada.Ada.Ada"}"#).expect("is read later").said(&nobody()).expect_err("no keys");
        assert!(refused.detail().starts_with("/customer_token: isn't taken here"), "{}", refused.detail());
        assert!(!refused.detail().contains("Ada"));
    }
}
