//! Access to the routes for other services and operators, by bearer tokens from files.

use std::{net::SocketAddr, path::Path};

use hyper::{HeaderMap, header::AUTHORIZATION};
use sha2::{Digest, Sha256};

use super::{hosts::Hosts, problem::Problem};
use crate::config::{Settings, read_token};

/// The shortest token that is accepted, bytes.
const TOKEN_BYTES_MIN: usize = 16;

/// A bearer token, kept as its digest, because comparing digests doesn't reveal how much of a guess was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// Reads the token in a file, without the white space around it.
    ///
    /// # Errors
    /// If the file can't be read or the token has less than 16 bytes.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let token = read_token(file)?;
        anyhow::ensure!(
            token.len() >= TOKEN_BYTES_MIN,
            "the token in {} is too short; make one with: openssl rand -hex 32",
            file.display()
        );
        Ok(Self(Sha256::digest(token.as_bytes()).into()))
    }

    fn is_in(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|text| text.strip_prefix("Bearer "));
        sent.is_some_and(|sent| <[u8; 32]>::from(Sha256::digest(sent.trim().as_bytes())) == self.0)
    }
}

/// Who may call a group of routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Anybody who uses one of the host's own names.
    Open(Hosts),
    Bearer(Token),
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
            Some(file) => Self::Bearer(Token::read(file)?),
            None if server.inventory_open || is_loopback(&server.listen) => Self::Open(Hosts::of_inventory(settings)),
            None => Self::Closed(
                "this host listens off loopback: set server.inventory_token_file here and on the tills that call it",
            ),
        })
    }

    /// Returns who may call the admin listener.
    ///
    /// # Errors
    /// If it listens on another address than loopback, without a token.
    pub fn of_admin(settings: &Settings) -> anyhow::Result<Self> {
        let server = &settings.server;
        match &server.admin_token_file {
            Some(file) => Ok(Self::Bearer(Token::read(file)?)),
            None if is_loopback(&server.admin) => Ok(Self::Open(Hosts::of_admin(settings))),
            None => anyhow::bail!(
                "the admin listener may leave loopback ({}) only with a token: set server.admin_token_file",
                server.admin
            ),
        }
    }

    /// Checks the host name of a request. Not checked with a token, which alone decides.
    ///
    /// # Errors
    /// 403 for another host name.
    pub fn check_host(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self {
            Self::Open(hosts) => hosts.check(headers),
            Self::Bearer(_) | Self::Closed(_) => Ok(()),
        }
    }

    /// # Errors
    /// 401 without the token; 403 if no token is set, or for another host name.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self {
            Self::Open(hosts) => hosts.check(headers),
            Self::Bearer(token) if token.is_in(headers) => Ok(()),
            Self::Bearer(_) => Err(Problem::unauthorized()),
            Self::Closed(hint) => Err(Problem::forbidden(*hint)),
        }
    }
}

fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().is_loopback()
}
