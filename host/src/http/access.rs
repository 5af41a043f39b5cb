//! Who may call what only other services and operators should: bearer tokens out of files.

use std::{net::SocketAddr, path::Path};

use hyper::{HeaderMap, header::AUTHORIZATION};
use sha2::{Digest, Sha256};

use super::{hosts::Hosts, problem::Problem};
use crate::config::{Settings, read_token};

/// The shortest token that is taken for one.
const TOKEN_BYTES_MIN: usize = 16;

/// A bearer token, kept as its digest: comparing digests tells nothing about how much of a guess was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// Reads the token that a file holds; white space around it doesn't count.
    ///
    /// # Errors
    /// When the file can't be read or holds less than 16 bytes.
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

/// Whether a group of routes may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Anybody who asks for it by its own name.
    Open(Hosts),
    Bearer(Token),
    /// The listener can be reached by others and nobody set a token. The text says what to do.
    Closed(&'static str),
}

impl Access {
    /// Returns who may call `/inventory/*`.
    ///
    /// # Errors
    /// When the token file can't be used.
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
    /// When it listens off loopback without a token.
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

    /// Checks the name that it is asked for by. With a token nothing else decides: the caller has it, under whatever name it
    /// found the host.
    ///
    /// # Errors
    /// 403 under another name.
    pub fn check_host(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self {
            Self::Open(hosts) => hosts.check(headers),
            Self::Bearer(_) | Self::Closed(_) => Ok(()),
        }
    }

    /// # Errors
    /// 401 without the token, 403 where there is none to have, or under another name.
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
