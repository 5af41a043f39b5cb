//! What one installation may send, and what of it a call has used.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    error::HttpError,
    grant::{Grant, UnusableGrant},
    message::Method,
    place::Place,
    secrets::{Secret, Secrets},
};

/// The most grants of one installation.
const GRANTS_MAX: usize = 16;

/// All grants of one installation. Without any, its plugin sends nothing.
#[derive(Debug, Clone)]
pub struct Grants {
    installation: Arc<str>,
    grants: Vec<Grant>,
}

/// The requests that one call of a plugin has made, counted for each grant.
#[derive(Debug, Default)]
pub struct CallBudget {
    used: Vec<u32>,
}

impl Grants {
    /// Returns the grants of the installation of this name. No two installations of a host may share a name, since the
    /// cache goes by it: a name that is used anew within 10 minutes may find answers of the former installation.
    ///
    /// # Errors
    /// If two grants are for one place, or if there are more than 16.
    pub fn new(installation: impl Into<Arc<str>>, grants: Vec<Grant>) -> Result<Self, UnusableGrant> {
        if grants.len() > GRANTS_MAX {
            return Err(UnusableGrant(format!("an installation has at most {GRANTS_MAX} grants")));
        }
        for (index, grant) in grants.iter().enumerate() {
            if grants.iter().skip(index + 1).any(|other| other.place == grant.place) {
                let place = &grant.place;
                return Err(UnusableGrant(format!("{place} is granted twice; write one grant with all its methods")));
            }
        }
        Ok(Self { installation: installation.into(), grants })
    }

    /// Returns no grants.
    #[must_use]
    pub fn none(installation: impl Into<Arc<str>>) -> Self {
        Self { installation: installation.into(), grants: Vec::new() }
    }

    /// Checks that the secrets named by the grants are there.
    ///
    /// # Errors
    /// Names the first that isn't.
    pub fn check_secrets(&self, secrets: &Secrets) -> Result<(), UnusableGrant> {
        let mut names = self.grants.iter().flat_map(|grant| &grant.secrets);
        match names.find(|name| secrets.find(name).is_none()) {
            Some(name) => Err(UnusableGrant(format!(
                "there is no secret {name:?}; put a file of that name into outbound.secrets"
            ))),
            None => Ok(()),
        }
    }

    /// Returns the installation's name.
    #[must_use]
    pub fn installation(&self) -> &str {
        &self.installation
    }

    /// Iterates over the secrets of all grants.
    pub(super) fn secrets<'a>(&'a self, secrets: &'a Secrets) -> impl Iterator<Item = &'a Secret> {
        let names: BTreeSet<_> = self.grants.iter().flat_map(|grant| &grant.secrets).collect();
        names.into_iter().filter_map(|name| secrets.find(name))
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        &self.installation
    }

    /// Iterates over the grants in the operator's order.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter()
    }

    /// Returns the grant for a request and counts the request.
    ///
    /// # Errors
    /// If there is none, or if the call's requests are used up.
    pub(super) fn take(&self, budget: &mut CallBudget, place: &Place, method: Method) -> Result<&Grant, HttpError> {
        let found = self.grants.iter().enumerate().find(|(_, grant)| grant.place == *place);
        let (index, grant) = found.ok_or_else(|| HttpError::NotGranted(format!("there is no grant for {place}")))?;
        if !grant.methods.contains(&method) {
            let method = method.in_lower_case();
            return Err(HttpError::NotGranted(format!("the grant for {place} doesn't have the method {method}")));
        }
        if budget.used.len() < self.grants.len() {
            budget.used.resize(self.grants.len(), 0);
        }
        let most = grant.requests;
        match budget.used.get_mut(index) {
            Some(used) if *used < most => *used += 1,
            _ => return Err(HttpError::NotGranted(format!("the grant for {place} allows {most} requests a call"))),
        }
        Ok(grant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_has_one_grant_for_a_place() {
        let grants =
            |texts: &[&str]| Grants::new("one", texts.iter().map(|text| text.parse().expect("a grant")).collect());
        let twice = grants(&["https://a.example", "https://b.example", "https://A.example:443 methods=put"]);
        let error = twice.expect_err("granted twice").to_string();
        assert_eq!(error, "https://a.example:443 is granted twice; write one grant with all its methods");
        let places: Vec<_> = (0..17).map(|index| format!("https://{index}.example")).collect();
        let places: Vec<_> = places.iter().map(String::as_str).collect();
        assert!(grants(&places).is_err());
        let most = grants(places.get(..16).unwrap_or_default()).expect("usable grants");
        assert_eq!((most.installation(), most.iter().count()), ("one", 16));
    }
}
