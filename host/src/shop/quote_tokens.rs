//! The tokens of quotes: what a cart costs, signed, so that nothing has to be kept of a quote.
//!
//! ```text
//! q1.<valid until, ms>.<total, minor units>.<plugins, 8 bytes of a digest>.<HMAC-SHA-256>
//! ```
//!
//! The signature covers the four parts, the currency and the cart's fingerprint, so a token is good for one cart, one total and a
//! while. It says nothing that the client doesn't know. The key comes from a file, or is drawn when the host starts;
//! then tokens end with the host.

use anyhow::Context;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::{
    config::{self, read_token},
    order::{Currency, Fingerprint, MinorUnits},
    units::hex,
};

type Signer = Hmac<Sha256>;

/// The first part of every token: another form would have another.
const FORM: &str = "q1";
/// The fewest characters in a key's file: those of 32 random bytes in base64.
const KEY_BYTES_MIN: usize = 43;

/// Why a token isn't taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadQuote {
    #[error("`quote` is no token of POST /quote")]
    Unreadable,
    #[error(
        "the quote isn't of this shop for this cart: the lines or the attributes are others, or it was signed with another \
         key, which a host without quote.key_file draws at each start; ask POST /quote for a new one"
    )]
    Foreign,
    #[error("the quote has expired; ask POST /quote for a new one")]
    Expired,
}

/// Signs quotes and reads their tokens.
pub(super) struct QuoteTokens {
    /// `None` if other hosts couldn't read what this one signs.
    signer: Option<Signer>,
    currency: Currency,
    valid_ms: u64,
}

impl std::fmt::Debug for QuoteTokens {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("QuoteTokens").field("valid_ms", &self.valid_ms).finish_non_exhaustive()
    }
}

impl QuoteTokens {
    /// # Errors
    /// When the key's file can't be used.
    pub(super) fn new(settings: &config::Quote, currency: Currency, is_shared: bool) -> anyhow::Result<Self> {
        let key = match &settings.key_file {
            Some(file) => {
                let key = read_token(file).context("read quote.key_file")?;
                anyhow::ensure!(
                    key.len() >= KEY_BYTES_MIN,
                    "the key in {} (quote.key_file) has {} characters; draw one of {KEY_BYTES_MIN} or more: openssl rand -base64 32",
                    file.display(),
                    key.len()
                );
                Some(key.into_bytes())
            }
            None if is_shared => None,
            None => Some(rand::random::<[u8; 32]>().to_vec()),
        };
        let signer = key.map(|key| Signer::new_from_slice(&key)).transpose().context("use quote.key_file")?;
        Ok(Self { signer, currency, valid_ms: settings.valid_ms })
    }

    /// Returns a token for this total and cart, and until when it is valid.
    pub(super) fn sign(
        &self,
        total: MinorUnits,
        cart: &Fingerprint,
        plugins: &str,
        now_ms: u64,
    ) -> (Option<String>, u64) {
        let valid_until_ms = now_ms.saturating_add(self.valid_ms);
        let plugins: [u8; 32] = Sha256::digest(plugins).into();
        let plugins = hex(plugins.get(..8).unwrap_or_default());
        let text = format!("{FORM}.{valid_until_ms}.{}.{plugins}", total.amount());
        let token = self.signature(&text, cart).map(|mac| format!("{text}.{}", hex(&mac.finalize().into_bytes())));
        (token, valid_until_ms)
    }

    /// Returns the total that a token says of this cart.
    ///
    /// # Errors
    /// Why the token isn't taken.
    pub(super) fn total(&self, token: &str, cart: &Fingerprint, now_ms: u64) -> Result<MinorUnits, BadQuote> {
        let (text, mac) = token.rsplit_once('.').ok_or(BadQuote::Unreadable)?;
        let mut parts = text.split('.');
        let [Some(FORM), Some(valid_until_ms), Some(total), Some(_), None] = std::array::from_fn(|_| parts.next())
        else {
            return Err(BadQuote::Unreadable);
        };
        let mac = bytes(mac).ok_or(BadQuote::Unreadable)?;
        let valid_until_ms: u64 = valid_until_ms.parse().map_err(|_| BadQuote::Unreadable)?;
        let total = total.parse().ok().and_then(MinorUnits::new).ok_or(BadQuote::Unreadable)?;
        let signature = self.signature(text, cart).ok_or(BadQuote::Foreign)?;
        signature.verify_slice(&mac).map_err(|_| BadQuote::Foreign)?;
        if now_ms > valid_until_ms { Err(BadQuote::Expired) } else { Ok(total) }
    }

    fn signature(&self, text: &str, cart: &Fingerprint) -> Option<Signer> {
        let mut signer = self.signer.clone()?;
        signer.update(text.as_bytes());
        signer.update(self.currency.code().as_bytes());
        signer.update(cart.as_bytes());
        Some(signer)
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(*high)? << 4 | digit(*low)?) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotes(key_file: Option<std::path::PathBuf>, is_shared: bool) -> anyhow::Result<QuoteTokens> {
        let dollars = Currency::of_code("USD").expect("a code");
        QuoteTokens::new(&config::Quote { key_file, valid_ms: 1_000 }, dollars, is_shared)
    }

    fn key(folder: &tempfile::TempDir, key: &str) -> Option<std::path::PathBuf> {
        let file = folder.path().join("key");
        std::fs::write(&file, key).expect("it is written");
        Some(file)
    }

    #[test]
    fn a_token_is_good_for_one_cart_one_total_and_a_while() {
        let quotes = quotes(None, false).expect("a key");
        let (cart, other) = (Fingerprint::of_body(b"cart"), Fingerprint::of_body(b"other"));
        let total = MinorUnits::new(1_234).expect("an amount");
        let (token, valid_until_ms) = quotes.sign(total, &cart, "checkout/a@1", 5_000);
        let token = token.expect("a token");
        assert_eq!(valid_until_ms, 6_000);
        assert_eq!(quotes.total(&token, &cart, 5_000), Ok(total));
        assert_eq!(quotes.total(&token, &cart, 6_000), Ok(total));
        assert_eq!(quotes.total(&token, &cart, 6_001), Err(BadQuote::Expired));
        assert_eq!(quotes.total(&token, &other, 5_000), Err(BadQuote::Foreign));
        // Whatever letter is another one, nothing is sold for it.
        for (at, letter) in token.char_indices() {
            let forged = format!("{}{}{}", &token[..at], if letter == '1' { '2' } else { '1' }, &token[at + 1..]);
            assert!(quotes.total(&forged, &cart, 5_000).is_err(), "{forged}");
        }
        for torn in ["", "q1", "q1.1.1.1", "q2.6000.1234.00.00", &token[..token.len() - 1], &format!("{token}.00")] {
            assert!(quotes.total(torn, &cart, 5_000).is_err(), "{torn}");
        }
    }

    #[test]
    fn another_host_reads_a_token_if_it_has_the_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let (cart, total) = (Fingerprint::of_body(b"cart"), MinorUnits::ZERO);
        let of_key = |text: &str| quotes(key(&folder, text), true).expect("a key");
        let token = of_key(&"a".repeat(43)).sign(total, &cart, "", 0).0.expect("a token");
        assert_eq!(of_key(&"a".repeat(43)).total(&token, &cart, 0), Ok(total));
        assert_eq!(of_key(&"b".repeat(43)).total(&token, &cart, 0), Err(BadQuote::Foreign));
        // A key of one's own is drawn at each start.
        let of_start = || quotes(None, false).expect("a key");
        assert_eq!(of_start().total(&token, &cart, 0), Err(BadQuote::Foreign));
        assert_eq!(
            of_start().total(&of_start().sign(total, &cart, "", 0).0.expect("a token"), &cart, 0),
            Err(BadQuote::Foreign)
        );
        // Hosts without a common key sign nothing.
        let keyless = quotes(None, true).expect("no key");
        assert_eq!(keyless.sign(total, &cart, "", 0).0, None);
        assert_eq!(keyless.total(&token, &cart, 0), Err(BadQuote::Foreign));
        let short = quotes(key(&folder, "short"), false).expect_err("a short key").to_string();
        assert!(short.contains("quote.key_file") && short.contains("43 or more"), "{short}");
    }
}
