//! Who may call the operators' listener, and for what.

use std::sync::Arc;

use hyper::HeaderMap;

use crate::{
    config::Settings,
    http::{Hosts, problem::Problem},
    tokens::{AdminTokens, Caller, NoCaller, Scope},
};

/// Who may call the listener.
#[derive(Debug)]
pub(super) enum AdminAccess {
    /// Anybody who uses one of the host's own names.
    Open(Hosts),
    Tokens(Arc<AdminTokens>),
}

impl AdminAccess {
    /// # Errors
    /// If the listener has another address than loopback, and there are no tokens.
    pub(super) fn new(settings: &Settings, tokens: Option<Arc<AdminTokens>>) -> anyhow::Result<Self> {
        match tokens {
            Some(tokens) => Ok(Self::Tokens(tokens)),
            None if settings.server.admin.ip().is_loopback() => Ok(Self::Open(Hosts::of_admin(settings))),
            None => anyhow::bail!(
                "the admin listener may leave loopback ({}) only with a token: set server.admin_token_file, or server.admin_tokens_file \
                 for named ones (till token new)",
                settings.server.admin
            ),
        }
    }

    /// Checks the host name of a request. Not checked with tokens, which alone decide.
    ///
    /// # Errors
    /// 403 for another host name.
    pub(super) fn check_host(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self {
            Self::Open(hosts) => hosts.check(headers),
            Self::Tokens(_) => Ok(()),
        }
    }

    /// Returns who sent a request.
    ///
    /// # Errors
    /// 401 without a token that is known and hasn't expired.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        match self {
            Self::Open(_) => Ok(Caller::unnamed()),
            Self::Tokens(tokens) => tokens.caller(headers).map_err(|unknown| match unknown {
                NoCaller::Unknown => Problem::unauthorized(),
                expired @ NoCaller::Expired { .. } => Problem::token_expired(expired.to_string()),
            }),
        }
    }
}

/// # Errors
/// 403 if the caller's token has another scope than the route needs.
pub(super) fn check_scope(caller: &Caller, needed: Scope) -> Result<(), Problem> {
    let scope = caller.scope();
    if scope.allows(needed) {
        return Ok(());
    }
    let (name, scope, needed) = (caller.name().unwrap_or_default(), scope.as_str(), needed.as_str());
    Err(Problem::out_of_scope(format!(
        "the token {name} has the scope {scope}, and this needs {needed}; till token new --name NAME --scope {needed} makes one"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each route with the scopes whose tokens may call it.
    #[test]
    fn every_route_has_its_scopes() {
        let allowed = |needed| Scope::EACH.map(|scope| check_scope(&Caller::named("ci", scope), needed).is_ok());
        let mut changes = Vec::new();
        for route in super::super::documented() {
            let needed = route.needs.expect("each admin route states its scope");
            let path = format!("{} {}", route.method, route.path);
            if route.method == "GET" {
                assert_eq!(allowed(needed), [true; 4], "{path} changes nothing");
            } else {
                assert!(!allowed(needed)[0], "{path} changes something");
                changes.push((path, allowed(needed)));
            }
        }
        let (deploy, stock) = ([false, true, false, true], [false, false, true, true]);
        let expected = [
            ("POST /stock/{item}", stock),
            ("DELETE /stock/{item}", stock),
            ("POST /buy", stock),
            ("POST /catalogue", stock),
            ("POST /plugins", deploy),
            ("POST /plugins/rollout/{change}", deploy),
            ("POST /plugins/approvals/{number}", deploy),
            ("POST /plugins/{kind}/rollback", deploy),
            ("POST /plugins/install", deploy),
            ("POST /plugins/{kind}/uninstall", deploy),
            ("POST /plugins/{kind}/order", deploy),
            ("POST /plugins/{kind}/settings", deploy),
            ("POST /recordings/{id}/replay", deploy),
            ("POST /recordings/{id}/profile", deploy),
        ];
        assert_eq!(changes, expected.map(|(path, scopes)| (path.to_owned(), scopes)));
    }

    #[test]
    fn a_refusal_says_which_token_is_needed() {
        let refused = check_scope(&Caller::named("ci", Scope::Deploy), Scope::Stock).expect_err("refused");
        assert_eq!((refused.status().as_u16(), refused.code()), (403, "out_of_scope"));
        let said = "the token ci has the scope deploy, and this needs stock; till token new --name NAME --scope stock makes one";
        assert_eq!(refused.detail(), said);
    }
}
