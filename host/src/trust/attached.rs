//! Signatures at the end of a component: each is a custom section of its own, and is found from the file's end, without
//! parsing the component.
//!
//! ```text
//! component | section `till:signature` | section `till:signature` | …
//!
//! section:  0, size (LEB128), name, text (UTF-8 JSON), length of the section (u32, little-endian), "tillsig1"
//! ```
//!
//! A signature travels with the file through every way in, and the file stays a component that any tool reads. A tool
//! that appends to a signed file, or rewrites it, leaves an unsigned one.

use wasm_encoder::{ComponentSection, CustomSection};

use crate::units::KIB;

const NAME: &str = "till:signature";
const MAGIC: &[u8; 8] = b"tillsig1";
/// The length and the magic at a section's end.
const TRAILER_BYTES: usize = 4 + MAGIC.len();
/// The most signatures of a component.
pub(super) const SIGNATURES_MAX: usize = 8;
/// The most bytes of a signature. A Sigstore bundle has some 6 to 12 KiB, more with a manifest beside it.
pub(super) const SIGNATURE_BYTES_MAX: usize = 64 * KIB;

/// What is wrong with the end of a file that says it is signed, or with what is to be put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAttachment {
    #[error("its end says that it is signed, but isn't built as a signature is: the file is damaged; sign it anew")]
    Malformed,
    #[error("it has more than {SIGNATURES_MAX} signatures; sign it anew with: till plugin sign --replace")]
    TooMany,
    #[error("a signature has {0} bytes, it may have {SIGNATURE_BYTES_MAX}")]
    TooLarge(usize),
}

/// A signature at the end of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attached<'a> {
    /// How many bytes of the file come before it.
    pub begins: usize,
    pub text: &'a str,
}

/// A component and its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<'a> {
    pub component: &'a [u8],
    /// In the order in which they were attached.
    pub signatures: Vec<Attached<'a>>,
}

impl<'a> Signed<'a> {
    /// Takes a file apart.
    ///
    /// # Errors
    /// When its end says that it is signed, and isn't built like that.
    pub fn of(file: &'a [u8]) -> Result<Self, BadAttachment> {
        let mut signatures = Vec::new();
        let mut component = file;
        while component.ends_with(MAGIC) {
            if signatures.len() == SIGNATURES_MAX {
                return Err(BadAttachment::TooMany);
            }
            let (before, text) = last(component).ok_or(BadAttachment::Malformed)?;
            signatures.push(Attached { begins: before.len(), text });
            component = before;
        }
        signatures.reverse();
        Ok(Self { component, signatures })
    }
}

/// Returns the file with one more signature.
///
/// # Errors
/// When the signature is too large, the file has as many as it may, or its end is damaged.
pub(super) fn attach(file: &[u8], text: &str) -> Result<Vec<u8>, BadAttachment> {
    if text.len() > SIGNATURE_BYTES_MAX {
        return Err(BadAttachment::TooLarge(text.len()));
    }
    if Signed::of(file)?.signatures.len() == SIGNATURES_MAX {
        return Err(BadAttachment::TooMany);
    }
    let section = |length: u32| {
        let data = [text.as_bytes(), &length.to_le_bytes(), MAGIC].concat();
        let mut section = Vec::new();
        CustomSection { name: NAME.into(), data: data.into() }.append_to_component(&mut section);
        section
    };
    // The length field has the same size whatever it says, so a first try tells what it has to say.
    let length = section(0).len();
    let length = u32::try_from(length).map_err(|_| BadAttachment::TooLarge(text.len()))?;
    Ok([file, &section(length)].concat())
}

/// Takes the last section off; `None` if the end isn't built as a signature is.
fn last(file: &[u8]) -> Option<(&[u8], &str)> {
    let length = file.get(file.len().checked_sub(TRAILER_BYTES)?..)?.first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (before, section) = file.split_at_checked(file.len().checked_sub(length)?)?;
    let [0, sized @ ..] = section else { return None };
    let (size, content) = leb128(sized)?;
    let (name_bytes, named) = leb128(content)?;
    let (name, data) = named.split_at_checked(name_bytes)?;
    if size != content.len() || name != NAME.as_bytes() || data.len() > SIGNATURE_BYTES_MAX + TRAILER_BYTES {
        return None;
    }
    let text = data.get(..data.len().checked_sub(TRAILER_BYTES)?)?;
    Some((before, std::str::from_utf8(text).ok()?))
}

/// Reads an unsigned number, at most five bytes of LEB128, and returns what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for (place, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(place + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn signatures_come_off_in_the_order_in_which_they_were_attached() {
        let once = attach(COMPONENT, "{\"first\":1}").expect("attached");
        let twice = attach(&once, &" ".repeat(300)).expect("attached");
        let signed = Signed::of(&twice).expect("taken apart");
        assert_eq!(signed.component, COMPONENT);
        let texts: Vec<_> = signed.signatures.iter().map(|signature| signature.text.len()).collect();
        assert_eq!(texts, [11, 300]);
        let begins: Vec<_> = signed.signatures.iter().map(|signature| signature.begins).collect();
        assert_eq!(begins, [COMPONENT.len(), once.len()]);
        assert!(wasmparser::validate(&twice).is_ok(), "any tool reads it");
        assert_eq!(Signed::of(COMPONENT).expect("unsigned").signatures, []);
        assert_eq!(Signed::of(b"").expect("empty").signatures, []);
    }

    #[test]
    fn an_end_that_isnt_built_as_a_signature_is_damaged() {
        let signed = attach(COMPONENT, "{}").expect("attached");
        // Every byte before the trailer and the length itself; a changed magic makes it an unsigned file.
        for place in COMPONENT.len()..signed.len() - MAGIC.len() {
            let mut changed = signed.clone();
            changed[place] ^= 0x81;
            let of = Signed::of(&changed);
            let is_text = (signed.len() - TRAILER_BYTES - 2..signed.len() - TRAILER_BYTES).contains(&place);
            assert_eq!(of.is_err(), !is_text || std::str::from_utf8(&changed).is_err(), "byte {place}: {of:?}");
        }
        for end in [&b"tillsig1"[..], b"\xff\xff\xff\xfftillsig1", b"\0\0\0\0tillsig1", b"\x0c\0\0\0tillsig1"] {
            assert_eq!(Signed::of(end), Err(BadAttachment::Malformed), "{end:?}");
        }
    }

    #[test]
    fn signatures_are_few_and_small() {
        assert_eq!(attach(COMPONENT, &" ".repeat(SIGNATURE_BYTES_MAX + 1)), Err(BadAttachment::TooLarge(65_537)));
        let mut file = attach(COMPONENT, &" ".repeat(SIGNATURE_BYTES_MAX)).expect("as large as may be");
        for _ in 1..SIGNATURES_MAX {
            file = attach(&file, "{}").expect("one more");
        }
        assert_eq!(attach(&file, "{}"), Err(BadAttachment::TooMany));
        assert_eq!(Signed::of(&file).expect("taken apart").signatures.len(), SIGNATURES_MAX);
    }
}
