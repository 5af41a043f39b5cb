//! What a token says: standard claims, and what the shop's login knows of its customer.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{BadToken, LEEWAY_S};
use crate::{
    facts::{Customer, FieldKey, FieldValue, Fields},
    order::{Form, check_text},
};

/// The longest id and company, bytes.
const NAME_BYTES_MAX: usize = 255;
/// The longest address of a mail (RFC 5321: 64 and 255 bytes, and the sign between them).
const EMAIL_BYTES_MAX: usize = 320;
const TAG_BYTES_MAX: usize = 64;
const TAGS_MAX: usize = 64;
const FIELDS_MAX: usize = 64;

/// Claims that the host reads; a login may send others.
#[derive(Deserialize)]
pub(super) struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    iss: Option<String>,
    aud: Option<Audience>,
    email: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    orders: Option<u32>,
    company: Option<String>,
    /// The shop's own fields of the customer.
    #[serde(default)]
    fields: BTreeMap<String, Box<RawValue>>,
}

/// Whom a token is for.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Some(Vec<String>),
}

impl Claims {
    /// Checks whom the token is for and of which login it is. A token that is for somebody isn't for a shop without a name.
    ///
    /// # Errors
    /// `Missing`, `Audience` or `Issuer`.
    pub(super) fn check_parties(&self, audience: Option<&str>, issuer: Option<&str>) -> Result<(), BadToken> {
        match (&self.aud, audience) {
            (None, None) => {}
            (None, Some(_)) => return Err(BadToken::Missing("aud")),
            (Some(Audience::One(aud)), Some(shop)) if aud == shop => {}
            (Some(Audience::Some(auds)), Some(shop)) if auds.iter().any(|aud| aud == shop) => {}
            (Some(_), _) => return Err(BadToken::Audience),
        }
        match (&self.iss, issuer) {
            (_, None) => Ok(()),
            (None, Some(_)) => Err(BadToken::Missing("iss")),
            (Some(iss), Some(login)) if iss == login => Ok(()),
            (Some(_), Some(_)) => Err(BadToken::Issuer),
        }
    }

    /// Checks when the token is valid, in seconds since 1970.
    ///
    /// # Errors
    /// `Expired`, `NotYet` or `Lifetime`.
    pub(super) fn check_times(&self, now_s: u64, lifetime_max_s: u32) -> Result<(), BadToken> {
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
        let now = now_s as f64;
        if !(self.exp.is_finite() && self.exp > now - LEEWAY_S) {
            return Err(BadToken::Expired);
        }
        let issued = self.iat.unwrap_or(now);
        if issued > now + LEEWAY_S || self.nbf.is_some_and(|from| from > now + LEEWAY_S) {
            return Err(BadToken::NotYet);
        }
        if self.exp - issued > f64::from(lifetime_max_s) { Err(BadToken::Lifetime) } else { Ok(()) }
    }

    /// # Errors
    /// `Claim` of the first one that is out of its bounds.
    pub(super) fn into_customer(self) -> Result<Customer, BadToken> {
        let Self { sub, email, tags, orders, company, fields, .. } = self;
        check("sub", &sub, NAME_BYTES_MAX)?;
        email.iter().try_for_each(|email| check("email", email, EMAIL_BYTES_MAX))?;
        company.iter().try_for_each(|company| check("company", company, NAME_BYTES_MAX))?;
        tags.iter().try_for_each(|tag| check("tags", tag, TAG_BYTES_MAX))?;
        if tags.len() > TAGS_MAX {
            return Err(BadToken::Claim("tags"));
        }
        Ok(Customer { id: sub, email, tags, orders, company, fields: fields_of(&fields)? })
    }
}

fn check(claim: &'static str, text: &str, bytes_max: usize) -> Result<(), BadToken> {
    check_text(text, Form::Word, bytes_max).map_err(|_| BadToken::Claim(claim))
}

fn fields_of(written: &BTreeMap<String, Box<RawValue>>) -> Result<Fields, BadToken> {
    let refused = |_| BadToken::Claim("fields");
    if written.len() > FIELDS_MAX {
        return Err(BadToken::Claim("fields"));
    }
    let mut fields = Fields::new();
    for (key, value) in written {
        let key = FieldKey::parse(key).map_err(refused)?;
        if let Some(value) = FieldValue::of_json(value).map_err(refused)? {
            fields.insert(key, value);
        }
    }
    Ok(fields)
}
