//! Access to the routes for other services, by a bearer token from a file.

use hyper::HeaderMap;

use super::{hosts::Hosts, problem::Problem};
use crate::{config::Settings, tokens::TokenDigest};

/// Who may call a group of routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Anybody who uses one of the host's own names.
    Open(Hosts),
    Bearer(TokenDigest),
    /// Nobody: the listener can be reached by others, and no token is set. The text says what to do.
    Closed(&'static str),
}

impl Access {
    /// Returns who may call `/inventory/*`.
    ///
    /// # Errors
    /// If the token file can't be used.
    pub fn of_inventory(settings: &Settings) -> anyhow::Result<Self> {
        let server = &settings.server;
        Ok(match &server.inventory_token_file {
            Some(file) => Self::Bearer(TokenDigest::read(file)?),
            None if server.inventory_open || server.listen.ip().is_loopback() => {
                Self::Open(Hosts::of_inventory(settings))
            }
            None => Self::Closed(
                "this host listens off loopback: set server.inventory_token_file here and on the tills that call it",
            ),
        })
    }

    /// # Errors
    /// 401 without the token; 403 if no token is set, or for another host name.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self {
            Self::Open(hosts) => hosts.check(headers),
            Self::Bearer(token) if TokenDigest::sent(headers) == Some(*token) => Ok(()),
            Self::Bearer(_) => Err(Problem::unauthorized()),
            Self::Closed(hint) => Err(Problem::forbidden(*hint)),
        }
    }
}
