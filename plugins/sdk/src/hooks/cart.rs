//! What a cart is asked most: sums, shares, pieces.

use super::{Cart, Line, LineId, MinorUnits, PartsPerMillion};
use crate::{NumberError, Rounding, ratio_of};

impl Cart {
    /// Returns what the lines cost before any discount. The host has checked that it is an amount.
    #[must_use]
    pub fn subtotal(&self) -> MinorUnits {
        self.lines.iter().map(Line::cost).fold(0, u64::saturating_add)
    }

    /// Returns how many pieces there are of all lines together.
    #[must_use]
    pub fn pieces(&self) -> u32 {
        self.lines.iter().map(|line| line.quantity).fold(0, u32::saturating_add)
    }

    /// Returns how many pieces there are of an item, over all its lines.
    #[must_use]
    pub fn pieces_of(&self, item: &str) -> u32 {
        self.lines.iter().filter(|line| line.item == item).map(|line| line.quantity).fold(0, u32::saturating_add)
    }

    /// Returns the line of that number.
    #[must_use]
    pub fn line(&self, id: LineId) -> Option<&Line> {
        self.lines.iter().find(|line| line.id == id)
    }

    /// Returns the entered code that is this one but for case and blanks around it, as the customer typed it.
    #[must_use]
    pub fn entered(&self, code: &str) -> Option<&str> {
        let is_it = |typed: &&String| typed.trim().to_lowercase() == code.trim().to_lowercase();
        self.codes.iter().find(is_it).map(String::as_str)
    }
}

impl Line {
    /// Returns what the line costs before any discount: quantity times unit price. The host has checked that it is an amount.
    #[must_use]
    pub fn cost(&self) -> MinorUnits {
        self.unit_price.saturating_mul(u64::from(self.quantity))
    }
}

/// Returns the first so many pieces of the lines, as a line's number and how many of its pieces. Lines of which none is taken
/// are left out. To discount the cheapest, sort the lines by price before.
#[must_use]
pub fn first_pieces<'a>(lines: impl IntoIterator<Item = &'a Line>, pieces: u32) -> Vec<(LineId, u32)> {
    let mut left = pieces;
    let take = |line: &'a Line| {
        let taken = left.min(line.quantity);
        left -= taken;
        (line.id, taken)
    };
    lines.into_iter().map(take).filter(|(_, taken)| *taken > 0).collect()
}

/// Takes a share of an amount.
///
/// # Errors
/// When the amount is none, or its share.
pub fn share_of(of: MinorUnits, share: PartsPerMillion, rounding: Rounding) -> Result<MinorUnits, NumberError> {
    ratio_of(of, u64::from(share), 1_000_000, rounding)
}

/// Returns a share as people write it, without the sign: `10`, `10.5`.
#[must_use]
pub fn percent_text(share: PartsPerMillion) -> String {
    let (whole, part) = (share / 10_000, share % 10_000);
    let text = format!("{whole}.{part:04}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: LineId, item: &str, quantity: u32, unit_price: u64) -> Line {
        Line {
            id,
            item: item.to_owned(),
            title: item.to_owned(),
            quantity,
            unit_price,
            bundle: None,
            attributes: Vec::new(),
        }
    }

    #[test]
    fn the_first_pieces_stop_within_a_line() {
        let lines = [line(1, "tea", 2, 500), line(4, "tea", 3, 400), line(5, "tea", 1, 300)];
        let check =
            |pieces: u32, expected: &[(u32, u32)]| assert_eq!(first_pieces(&lines, pieces), expected, "{pieces}");
        check(0, &[]);
        check(2, &[(1, 2)]);
        check(4, &[(1, 2), (4, 2)]);
        check(9, &[(1, 2), (4, 3), (5, 1)]);
    }

    #[test]
    fn a_share_is_written_as_people_do() {
        let check = |share: u32, expected: &str| assert_eq!(percent_text(share), expected);
        check(100_000, "10");
        check(105_000, "10.5");
        check(88_750, "8.875");
        check(1, "0.0001");
        check(0, "0");
        check(1_000_000, "100");
    }

    #[test]
    fn a_share_is_rounded_once() {
        assert_eq!(share_of(1_050, 100_000, Rounding::HalfUp), Ok(105));
        assert_eq!(share_of(1_005, 100_000, Rounding::HalfUp), Ok(101));
        assert_eq!(share_of(1_005, 100_000, Rounding::Down), Ok(100));
    }
}
