//! The parameters for a page of a list that has the newest first.

use super::query;
use crate::http::problem::Problem;

/// At most `limit` rows, starting after row `after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) after: Option<u64>,
    pub(super) limit: u32,
}

impl Listed {
    /// Returns the page that a query requests; by default the first page, with the most rows allowed.
    ///
    /// # Errors
    /// 422 for an unknown or invalid parameter.
    pub(super) fn of_query(query: &str, limit_max: u32) -> Result<Self, Problem> {
        let mut listed = Self { after: None, limit: limit_max };
        for (name, value) in query::parameters(query)? {
            match name.as_str() {
                "after" => {
                    let number = value.parse().ok().filter(|number| (1..1 << 53).contains(number));
                    listed.after = Some(query::value(&name, &value, number, "a number of the list")?);
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=limit_max).contains(limit));
                    listed.limit = query::value(&name, &value, limit, &format!("1 to {limit_max}"))?;
                }
                _ => return Err(Problem::unacceptable(format!("there is no {name}; after and limit are"))),
            }
        }
        Ok(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_asked_for_by_the_number_before_it_and_its_length() {
        let check = |query, expected: Option<(Option<u64>, u32)>| {
            let listed = Listed::of_query(query, 100).ok().map(|listed| (listed.after, listed.limit));
            assert_eq!(listed, expected, "{query}");
        };
        check("", Some((None, 100)));
        check("after=7", Some((Some(7), 100)));
        check("limit=1&after=9007199254740991", Some((Some(9_007_199_254_740_991), 1)));
        for unusable in
            ["after=0", "after=-1", "after=", "after=9007199254740992", "limit=0", "limit=101", "state=live"]
        {
            check(unusable, None);
        }
    }
}
