//! Tokens as logins sign them, and as somebody else would.

use ring::{
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
        RsaPublicKeyComponents,
    },
};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::*;
use crate::facts::{FieldKey, FieldValue};

const NOW_MS: u64 = 1_800_000_000_000;
const NOW_S: u64 = NOW_MS / 1_000;

/// A key of a login.
enum Signer {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
    Secret(Vec<u8>),
}

impl Signer {
    fn ec() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        Self::Ec(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).expect("a key"))
    }

    fn ed() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key"))
    }

    fn rsa() -> Self {
        let der = PrivatePkcs8KeyDer::from_pem_slice(include_bytes!("rsa-for-tests.pem")).expect("PEM");
        Self::Rsa(RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("a key"))
    }

    fn secret() -> Self {
        Self::Secret((0..32).collect())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ec(_) => "ES256",
            Self::Ed(_) => "EdDSA",
            Self::Rsa(_) => "RS256",
            Self::Secret(_) => "HS256",
        }
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        let (random, message) = (SystemRandom::new(), text.as_bytes());
        match self {
            Self::Ec(pair) => pair.sign(&random, message).expect("signs").as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("signs");
                signature
            }
            Self::Secret(secret) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec(),
        }
    }

    /// Returns the public key as a JSON Web Key.
    fn jwk(&self, kid: Option<&str>) -> Value {
        let mut jwk = match self {
            Self::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)})
            }
            Self::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key().as_ref())}),
            Self::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "n": base64url(&n), "e": base64url(&e), "use": "sig", "alg": "RS256"})
            }
            Self::Secret(secret) => json!({"kty": "oct", "k": base64url(secret)}),
        };
        if let Some(kid) = kid {
            jwk["kid"] = kid.into();
        }
        jwk
    }

    /// Returns the public key in PEM.
    fn pem(&self) -> String {
        let bytes = match self {
            Self::Ec(pair) => spki(super::spki::P256, pair.public_key().as_ref()),
            Self::Ed(pair) => spki(super::spki::ED25519, pair.public_key().as_ref()),
            Self::Rsa(pair) => spki(super::spki::RSA, pair.public_key().as_ref()),
            Self::Secret(_) => unreachable!("a secret isn't written in PEM"),
        };
        let base64 = base64url(&bytes).replace('-', "+").replace('_', "/");
        let padded = format!("{base64}{}", "=".repeat((4 - base64.len() % 4) % 4));
        format!("-----BEGIN PUBLIC KEY-----\n{padded}\n-----END PUBLIC KEY-----\n")
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()));
        let signature = base64url(&self.sign(&text));
        format!("{text}.{signature}")
    }

    /// Returns a token with these claims over the usual ones.
    fn with(&self, claims: Value) -> String {
        self.token(&self.header(json!({})), &over(json!({"sub": "c-17", "exp": NOW_S + 600}), claims))
    }

    fn header(&self, more: Value) -> Value {
        over(json!({"alg": self.algorithm(), "typ": "JWT"}), more)
    }
}

fn over(mut base: Value, more: Value) -> Value {
    let (Value::Object(members), Value::Object(more)) = (&mut base, more) else { unreachable!("objects") };
    members.extend(more);
    members.retain(|_, value| !value.is_null());
    base
}

fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let value = |tag: u8, contents: &[u8]| {
        let length = u16::try_from(contents.len()).expect("a short key").to_be_bytes();
        [&[tag, 0x82], &length[..], contents].concat()
    };
    let bits = value(0x03, &[&[0], key].concat());
    value(0x30, &[value(0x30, algorithm), bits].concat())
}

fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let group = |three: &[u8]| {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(three.get(at).copied().unwrap_or(0)));
        let letter = move |at: usize| char::from(LETTERS[bits >> (18 - 6 * at) & 63]);
        (0..=three.len()).map(letter).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

fn file(content: &str) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), content).expect("it is written");
    file
}

fn settings(file: &NamedTempFile) -> config::Customers {
    config::Customers { keys_file: Some(file.path().into()), audience: None, issuer: None, lifetime_max_s: 86_400 }
}

fn set_of(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn customers(keys: &str) -> Customers {
    Customers::new(&settings(&file(keys))).unwrap_or_else(|error| panic!("{keys}: {error:#}"))
}

#[test]
fn each_kind_of_key_is_read_in_each_form() {
    for signer in [Signer::ec(), Signer::ed(), Signer::rsa(), Signer::secret()] {
        let token = signer.with(json!({}));
        let mut forms = vec![set_of(&[signer.jwk(None)]), set_of(&[signer.jwk(Some("k"))])];
        if !matches!(signer, Signer::Secret(_)) {
            forms.push(signer.pem());
        }
        for keys in forms {
            let customer = customers(&keys).read_at(&token, NOW_MS).unwrap_or_else(|bad| panic!("{keys}: {bad}"));
            assert_eq!(customer.id, "c-17");
        }
    }
}

#[test]
fn a_token_says_who_buys() {
    let signer = Signer::ed();
    let claims = json!({
        "sub": "c-17", "exp": NOW_S + 600, "iat": NOW_S, "email": "ada@example.com", "tags": ["wholesale"], "orders": 3,
        "company": "Analytical Engines", "fields": {"loyalty.level": 2, "loyalty.none": null}, "more": {"of": "the login's"},
    });
    let customer = customers(&set_of(&[signer.jwk(None)])).read_at(&signer.with(claims), NOW_MS).expect("is read");
    let expected = Customer {
        id: "c-17".into(),
        email: Some("ada@example.com".into()),
        tags: vec!["wholesale".into()],
        orders: Some(3),
        company: Some("Analytical Engines".into()),
        fields: [(FieldKey::parse("loyalty.level").expect("a key"), FieldValue::Integer(2))].into(),
    };
    assert!(customer == expected);
}

#[test]
fn a_token_that_is_not_right_is_not_taken_and_not_repeated() {
    let (signer, other) = (Signer::ec(), Signer::ec());
    let readers = customers(&set_of(&[signer.jwk(None)]));
    let check = |token: &str, expected: BadToken| {
        let refused = readers.read_at(token, NOW_MS).expect_err("is refused");
        assert_eq!(refused, expected, "{token}");
        let said = format!("{refused} {refused:?}");
        assert!(token.len() < 8 || !said.contains(token) && !said.contains("c-17"), "{said}");
    };
    check(&other.with(json!({})), BadToken::Signature);
    for garbage in
        ["", ".", "..", "a.b.c", "not a token", &signer.with(json!({})).replace('.', ""), "\u{e9}.\u{e9}.\u{e9}"]
    {
        check(garbage, BadToken::Unreadable);
    }
    let good = signer.with(json!({}));
    for torn in [format!("{good}="), format!("{good}\n"), format!(" {good}"), format!("{good}.")] {
        assert!(readers.read_at(&torn, NOW_MS).is_err(), "{torn}");
    }
    assert!(readers.read_at(&good, NOW_MS).is_ok());
    check(&signer.with(json!({"company": "x".repeat(4_096)})), BadToken::TooLong);

    check(&signer.with(json!({"exp": NOW_S - 60})), BadToken::Expired);
    assert!(readers.read_at(&signer.with(json!({"exp": NOW_S - 59})), NOW_MS).is_ok(), "clocks differ");
    check(&signer.with(json!({"nbf": NOW_S + 61})), BadToken::NotYet);
    check(&signer.with(json!({"iat": NOW_S + 61})), BadToken::NotYet);
    check(&signer.with(json!({"exp": NOW_S + 86_401})), BadToken::Lifetime);
    check(&signer.with(json!({"exp": NOW_S + 600, "iat": NOW_S - 85_801})), BadToken::Lifetime);
    check(&signer.with(json!({"exp": "9999999999"})), BadToken::Unclear);
    check(&signer.with(json!({"exp": null})), BadToken::Unclear);
    check(&signer.with(json!({"exp": -1})), BadToken::Expired);
    check(&signer.with(json!({"exp": 1e300})), BadToken::Lifetime);
    check(&signer.with(json!({"sub": null})), BadToken::Unclear);
    check(&signer.with(json!({"sub": 17})), BadToken::Unclear);
    check(&signer.with(json!({"nbf": "soon"})), BadToken::Unclear);
    check(&signer.with(json!({"tags": "wholesale"})), BadToken::Unclear);
    check(&signer.with(json!({"sub": ""})), BadToken::Claim("sub"));
    check(&signer.with(json!({"email": "a\nb"})), BadToken::Claim("email"));
    check(&signer.with(json!({"tags": vec!["x"; 65]})), BadToken::Claim("tags"));
    check(&signer.with(json!({"fields": {"level": 1}})), BadToken::Claim("fields"));
    check(&signer.with(json!({"aud": "shop"})), BadToken::Audience);
}

#[test]
fn the_key_decides_about_the_algorithm() {
    let claims = json!({"sub": "c-17", "exp": NOW_S + 600});
    let rsa = Signer::rsa();
    let Signer::Rsa(pair) = &rsa else { unreachable!("it is RSA") };
    let of_rsa = [customers(&set_of(&[rsa.jwk(None)])), customers(&rsa.pem())];
    // Whoever knows the public key could sign with it as a secret.
    for secret in [
        rsa.pem().into_bytes(),
        pair.public_key().as_ref().to_vec(),
        spki(super::spki::RSA, pair.public_key().as_ref()),
    ] {
        let forged = Signer::Secret(secret).token(&json!({"alg": "HS256"}), &claims);
        for readers in &of_rsa {
            assert_eq!(readers.read_at(&forged, NOW_MS).err(), Some(BadToken::Algorithm));
        }
    }
    let text = |header: Value| {
        format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()))
    };
    for none in ["none", "None", "NONE", "", "HS512", "es256"] {
        for signature in ["", "AA"] {
            let token = format!("{}.{signature}", text(json!({"alg": none})));
            assert_eq!(of_rsa[0].read_at(&token, NOW_MS).err(), Some(BadToken::Algorithm), "{none}");
        }
    }
    let renamed = Signer::ed();
    let token = renamed.token(&json!({"alg": "Ed25519"}), &claims);
    assert!(customers(&renamed.pem()).read_at(&token, NOW_MS).is_ok(), "RFC 9864's name");
    for header in ["RS384", "RS512", "PS256", "ES256", "EdDSA"] {
        let token = rsa.token(&json!({"alg": header}), &claims);
        assert_eq!(of_rsa[0].read_at(&token, NOW_MS).err(), Some(BadToken::Algorithm), "{header}");
    }
}

#[test]
fn a_header_that_changes_the_meaning_is_refused() {
    let signer = Signer::ed();
    let readers = customers(&set_of(&[signer.jwk(None)]));
    let claims = json!({"sub": "c-17", "exp": NOW_S + 600});
    let read = |more: Value| readers.read_at(&signer.token(&signer.header(more), &claims), NOW_MS).map(drop);
    for more in [
        json!({"crit": ["exp"], "exp": 1}),
        json!({"crit": []}),
        json!({"b64": false}),
        json!({"jku": "https://evil.example/keys"}),
        json!({"jwk": signer.jwk(None)}),
        json!({"x5u": "https://evil.example/"}),
        json!({"x5c": ["AA"]}),
        json!({"cty": "JWT"}),
        json!({"zip": "DEF"}),
        json!({"typ": "dpop+jwt"}),
        json!({"alg": null}),
    ] {
        assert_eq!(read(more.clone()), Err(BadToken::Header), "{more}");
    }
    for fine in [json!({"typ": null}), json!({"typ": "at+jwt"}), json!({"x5t": "AA"}), json!({"kid": "any"})] {
        assert_eq!(read(fine.clone()), Ok(()), "{fine}");
    }
}

#[test]
fn a_token_names_its_key() {
    let (old, new) = (Signer::ed(), Signer::ec());
    let both = customers(&set_of(&[old.jwk(Some("old")), new.jwk(Some("new"))]));
    let claims = json!({"sub": "c-17", "exp": NOW_S + 600});
    let read = |signer: &Signer, kid: Value| {
        both.read_at(&signer.token(&signer.header(json!({ "kid": kid })), &claims), NOW_MS).map(drop)
    };
    assert_eq!(read(&old, json!("old")), Ok(()));
    assert_eq!(read(&new, json!("new")), Ok(()));
    assert_eq!(read(&old, json!("new")), Err(BadToken::Algorithm));
    assert_eq!(read(&old, json!("other")), Err(BadToken::UnknownKey));
    assert_eq!(read(&old, Value::Null), Err(BadToken::UnknownKey), "there are two");
    let twins = customers(&set_of(&[old.jwk(Some("old")), Signer::ed().jwk(Some("new"))]));
    let crossed = old.token(&old.header(json!({"kid": "new"})), &claims);
    assert_eq!(twins.read_at(&crossed, NOW_MS).err(), Some(BadToken::Signature));
    let one = customers(&set_of(&[old.jwk(Some("old"))]));
    let other = old.token(&old.header(json!({"kid": "other"})), &claims);
    assert_eq!(one.read_at(&other, NOW_MS).err(), Some(BadToken::UnknownKey));
}

#[test]
fn a_token_is_for_this_shop_and_of_its_login() {
    let signer = Signer::ed();
    let keys = file(&set_of(&[signer.jwk(None)]));
    let settings = config::Customers {
        audience: Some("shop".into()),
        issuer: Some("https://login.example/".into()),
        ..settings(&keys)
    };
    let readers = Customers::new(&settings).expect("reads");
    let read = |claims: Value| {
        let usual = json!({"aud": "shop", "iss": "https://login.example/"});
        readers.read_at(&signer.with(over(usual, claims)), NOW_MS).map(drop)
    };
    assert_eq!(read(json!({})), Ok(()));
    assert_eq!(read(json!({"aud": ["blog", "shop"]})), Ok(()));
    assert_eq!(read(json!({"aud": "blog"})), Err(BadToken::Audience));
    assert_eq!(read(json!({"aud": []})), Err(BadToken::Audience));
    assert_eq!(read(json!({"aud": null})), Err(BadToken::Missing("aud")));
    assert_eq!(read(json!({"iss": "https://login.example"})), Err(BadToken::Issuer));
    assert_eq!(read(json!({"iss": null})), Err(BadToken::Missing("iss")));
    assert_eq!(read(json!({"iss": ["https://login.example/"]})), Err(BadToken::Unclear));
}

#[test]
fn only_keys_that_make_sense_are_taken() {
    let check = |content: &str, expected: &str| {
        let refused = Customers::new(&settings(&file(content))).expect_err(content);
        let said = format!("{refused:#}");
        assert!(said.contains("customers.keys_file") && said.contains(expected), "{content}: {said}");
    };
    let (ec, ed) = (Signer::ec(), Signer::ed());
    check("", "neither a JWKS");
    check("{}", "no JWKS");
    check("{\"keys\":[]}", "no key for ES256");
    check(include_str!("rsa-for-tests.pem"), "private key");
    check(&set_of(&[over(ed.jwk(None), json!({"d": "AA"}))]), "private key");
    check(&set_of(&[ec.jwk(Some("a")), ed.jwk(None)]), "one has no kid");
    check(&set_of(&[ec.jwk(Some("a")), ed.jwk(Some("a"))]), "two keys have one kid");
    check(&set_of(&[over(ed.jwk(None), json!({"x": "AA"}))]), "key 1 of the set");
    check(&set_of(&[json!({"kty": "oct", "k": base64url(b"short")})]), "key 1 of the set");
    check(&set_of(&[json!({"kty": "RSA", "n": base64url(&[1; 128]), "e": "AQAB"})]), "key 1 of the set");
    check(
        &set_of(&[
            over(ec.jwk(None), json!({"use": "enc"})),
            json!({"kty": "AKP"}),
            json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}),
        ]),
        "no key for ES256",
    );

    // Keys of a set that are for something else don't disturb.
    let among =
        set_of(&[ed.jwk(Some("a")), over(ec.jwk(Some("b")), json!({"use": "enc"})), json!({"kty": "AKP", "kid": "c"})]);
    assert!(customers(&among).read_at(&ed.with(json!({})), NOW_MS).is_ok());
    let named = over(ed.jwk(None), json!({"alg": "Ed25519", "key_ops": ["verify"]}));
    assert!(customers(&set_of(&[named])).read_at(&ed.with(json!({})), NOW_MS).is_ok());

    let without = config::Customers { keys_file: None, audience: None, issuer: None, lifetime_max_s: 60 };
    let none = Customers::new(&without).expect("a shop without a login");
    assert_eq!(none.read(&ed.with(json!({}))).err(), Some(BadToken::NoKeys));
}

#[tokio::test]
async fn changed_keys_are_read_and_unusable_ones_leave_those_from_before() {
    let (old, new) = (Signer::ed(), Signer::ed());
    let keys = file(&set_of(&[old.jwk(None)]));
    let readers = Customers::new(&settings(&keys)).expect("reads");
    let mut said = None;
    let mut look = async || readers.keys.as_ref().expect("a file").look(&mut said, |_| ()).await;
    let is_taken = |signer: &Signer| readers.read_at(&signer.with(json!({})), NOW_MS).is_ok();
    look().await;
    assert!(is_taken(&old) && !is_taken(&new));
    std::fs::write(keys.path(), "{\"keys\":").expect("it is written");
    look().await;
    assert!(is_taken(&old), "half a file");
    std::fs::write(keys.path(), set_of(&[new.jwk(None)])).expect("it is written");
    look().await;
    assert!(is_taken(&new) && !is_taken(&old));
}
