//! How a registry wants to be told who asks: its challenge, and the tokens that another place gives out for it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_auth::{ChallengeRef, parser::ChallengeParser};
use hyper::{
    HeaderMap,
    header::{HeaderValue, WWW_AUTHENTICATE},
};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::credentials::Credentials;

/// What a registry wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password with each request.
    Basic,
    /// A token, which is asked for at `realm`.
    Bearer { realm: Url, service: Option<String> },
}

impl Challenge {
    /// Reads the challenges of an answer, and takes the one that gives away the least.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, String> {
        let mut basic = None;
        for value in headers.get_all(WWW_AUTHENTICATE) {
            let text = value.to_str().map_err(|_| "its WWW-Authenticate is no ASCII".to_owned())?;
            for challenge in ChallengeParser::new(text) {
                let challenge = challenge.map_err(|_| "its WWW-Authenticate can't be read".to_owned())?;
                if challenge.scheme.eq_ignore_ascii_case("bearer") {
                    return Self::bearer(&challenge);
                }
                if challenge.scheme.eq_ignore_ascii_case("basic") {
                    basic = Some(Self::Basic);
                }
            }
        }
        basic.ok_or_else(|| "it says 401 and asks neither for Basic nor for Bearer".to_owned())
    }

    fn bearer(challenge: &ChallengeRef<'_>) -> Result<Self, String> {
        let parameter = |wanted: &str| {
            let found = challenge.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.to_unescaped())
        };
        let realm = parameter("realm").and_then(|realm| Url::parse(&realm).ok());
        let realm = realm.filter(|realm| realm.has_host() && realm.username().is_empty() && realm.password().is_none());
        let realm = realm.ok_or_else(|| "it wants a token, and says no address where to get it".to_owned())?;
        Ok(Self::Bearer { realm, service: parameter("service") })
    }
}

/// A request for a token.
pub(super) struct Ask {
    pub(super) url: Url,
    pub(super) authorization: Option<HeaderValue>,
    /// The form that is posted; without one it is a GET.
    pub(super) form: Option<String>,
}

impl Ask {
    /// Returns the request for a token that permits the actions of `scope`.
    pub(super) fn new(mut realm: Url, service: Option<&str>, scope: &str, credentials: Option<&Credentials>) -> Self {
        if let Some(Credentials::IdentityToken(token)) = credentials {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("grant_type", "refresh_token")
                .append_pair("client_id", "till")
                .append_pair("scope", scope);
            service.map(|service| form.append_pair("service", service));
            form.append_pair("refresh_token", token);
            return Self { url: realm, authorization: None, form: Some(form.finish()) };
        }
        {
            let mut query = realm.query_pairs_mut();
            service.map(|service| query.append_pair("service", service));
            query.append_pair("scope", scope);
        }
        Self { url: realm, authorization: credentials.and_then(basic), form: None }
    }
}

/// Returns the header that has a name and a password.
pub(super) fn basic(credentials: &Credentials) -> Option<HeaderValue> {
    let Credentials::Basic { user, password } = credentials else { return None };
    secret(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

/// Returns the header that has the token of an answer, `None` if it has none.
pub(super) fn bearer(answer: &[u8]) -> Option<HeaderValue> {
    let Given { token, access_token } = serde_json::from_slice(answer).ok()?;
    let token = if token.is_empty() { access_token } else { token };
    if token.is_empty() { None } else { secret(&format!("Bearer {token}")) }
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(values: &[&str]) -> Result<Challenge, String> {
        let mut headers = HeaderMap::new();
        values.iter().for_each(|value| _ = headers.append(WWW_AUTHENTICATE, value.parse().expect("a value")));
        Challenge::of(&headers)
    }

    #[test]
    fn a_challenge_is_read() {
        let bearer = |service: Option<&str>| Challenge::Bearer {
            realm: Url::parse("https://auth.example/token").expect("a URL"),
            service: service.map(str::to_owned),
        };
        let check = |values: &[&str], wanted: Challenge| assert_eq!(challenge(values), Ok(wanted), "{values:?}");
        check(&["Basic realm=\"registry\""], Challenge::Basic);
        check(&["basic"], Challenge::Basic);
        check(
            &[r#"Bearer realm="https://auth.example/token",service="registry.example",scope="a""#],
            bearer(Some("registry.example")),
        );
        check(&[r#"Basic realm="a", Bearer realm="https://auth.example/token""#], bearer(None));
        check(&[r#"Basic realm="a""#, r#"bearer Realm="https://auth.example/token""#], bearer(None));
        for (values, why) in [
            (&[][..], "neither for Basic nor for Bearer"),
            (&["Negotiate"], "neither for Basic nor for Bearer"),
            (&["Bearer"], "says no address"),
            (&[r#"Bearer realm="/token""#], "says no address"),
            (&[r#"Bearer realm="https://ana:b@auth.example/token""#], "says no address"),
            (&[r#"Bearer realm="https://auth"#], "can't be read"),
        ] {
            let error = challenge(values).expect_err("unusable");
            assert!(error.contains(why), "{values:?}: {error}");
        }
    }

    #[test]
    fn a_token_is_asked_for_as_its_credentials_are() {
        let realm = || Url::parse("https://auth.example/token?a=1").expect("a URL");
        let basic = Credentials::Basic { user: "ana".to_owned(), password: "p:w".to_owned() };
        let ask = Ask::new(realm(), Some("r"), "repository:a:pull", Some(&basic));
        assert_eq!(ask.url.as_str(), "https://auth.example/token?a=1&service=r&scope=repository%3Aa%3Apull");
        assert_eq!(ask.authorization.expect("a header"), "Basic YW5hOnA6dw==");
        let ask = Ask::new(realm(), None, "s", None);
        assert!(ask.authorization.is_none() && ask.form.is_none());
        let ask = Ask::new(realm(), Some("r"), "s", Some(&Credentials::IdentityToken("t&".to_owned())));
        assert_eq!(ask.url, realm());
        let form = "grant_type=refresh_token&client_id=till&scope=s&service=r&refresh_token=t%26";
        assert_eq!((ask.form.as_deref(), ask.authorization), (Some(form), None));
    }

    #[test]
    fn a_token_has_one_of_two_names() {
        for (answer, wanted) in [
            (r#"{"token":"t","expires_in":60}"#, Some("Bearer t")),
            (r#"{"access_token":"u"}"#, Some("Bearer u")),
            (r#"{"token":"t","access_token":"u"}"#, Some("Bearer t")),
            (r#"{"token":""}"#, None),
            (r#"{"token":"a\nb"}"#, None),
            ("<html>", None),
        ] {
            let header = bearer(answer.as_bytes());
            assert_eq!(header.as_ref().and_then(|header| header.to_str().ok()), wanted, "{answer}");
        }
    }
}
