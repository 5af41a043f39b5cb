//! Pages of lists, which are built in memory and so have a size.

use super::{LIST_BYTES_MAX, Page, StoreError};

/// The estimated size of a row besides its texts, and of a level besides its item's name, bytes.
pub(super) const ROW_BYTES: usize = 512;
pub(super) const LEVEL_BYTES: usize = 32;

/// Takes rows, each with its bytes, until the page is full or has `limit` rows. A page has at least one row, if there
/// is one.
pub(super) fn page<T>(
    rows: impl Iterator<Item = Result<(T, usize), StoreError>>,
    limit: u32,
) -> Result<Page<T>, StoreError> {
    let mut page = Page { rows: Vec::new(), goes_on: false };
    let mut bytes_left = LIST_BYTES_MAX;
    for row in rows {
        let (row, bytes) = row?;
        if bytes > bytes_left && !page.rows.is_empty() {
            page.goes_on = true;
            break;
        }
        bytes_left = bytes_left.saturating_sub(bytes);
        page.rows.push(row);
    }
    page.goes_on |= u32::try_from(page.rows.len()).is_ok_and(|count| count == limit);
    Ok(page)
}
