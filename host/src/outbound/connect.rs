//! From a place to a connection: look its name up, check every address, connect to one of those.
//!
//! The check and the connection have the same address in their hands, so a name server that answers differently the
//! second time (DNS rebinding) isn't asked a second time.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use rustls::pki_types::ServerName;
use tokio::{
    net::{TcpStream, lookup_host},
    sync::Semaphore,
    time::{Instant, timeout},
};
use url::Host;

use super::{
    address::Reach,
    error::HttpError,
    place::{Place, Scheme},
    tls::Tls,
    wire::Link,
};

/// The most addresses of a name that are tried.
const ATTEMPTS_MAX: usize = 4;
/// How long an address is tried while there are others: a host without IPv6 may still be given such addresses first.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Makes connections.
pub(super) struct Connector {
    tls: Tls,
    lookups: Arc<Semaphore>,
}

impl Connector {
    pub(super) fn new(tls: Tls, lookups_max: usize) -> Self {
        Self { tls, lookups: Arc::new(Semaphore::new(lookups_max)) }
    }

    /// Returns the addresses of a place, of which all may be connected to.
    ///
    /// # Errors
    /// [`HttpError::NotSent`] if there is none; [`HttpError::NotGranted`] with the address if one isn't allowed.
    pub(super) async fn addresses(
        &self,
        place: &Place,
        private: bool,
    ) -> Result<Vec<SocketAddr>, (HttpError, Option<SocketAddr>)> {
        let addresses = match &place.host {
            Host::Ipv4(address) => vec![SocketAddr::new(IpAddr::V4(*address), place.port)],
            Host::Ipv6(address) => vec![SocketAddr::new(IpAddr::V6(*address), place.port)],
            Host::Domain(name) => self.look_up(name, place.port).await.map_err(|error| (error, None))?,
        };
        match addresses.iter().find_map(|address| Some((refusal(place, *address, private)?, *address))) {
            Some((refusal, address)) => Err((HttpError::NotGranted(refusal), Some(address))),
            None => Ok(addresses),
        }
    }

    async fn look_up(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, HttpError> {
        let failed = |error: &dyn std::fmt::Display| HttpError::NotSent(format!("{name} can't be looked up: {error}"));
        let permit = Arc::clone(&self.lookups).acquire_owned().await.map_err(|error| failed(&error))?;
        let asked = (name.to_owned(), port);
        // The system's lookup blocks its thread until it is answered, whoever still waits. So the permit stays with the
        // lookup and not with the request, or slow name servers would use up the process's threads.
        let lookup = tokio::spawn(async move {
            let _permit = permit;
            lookup_host(asked).await.map(Vec::from_iter)
        });
        let addresses: Vec<_> = lookup.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        if addresses.is_empty() { Err(failed(&"it has no address")) } else { Ok(addresses) }
    }

    /// Connects to the first of the addresses that accepts, and speaks TLS to it if the place is `https`.
    ///
    /// # Errors
    /// [`HttpError::NotSent`].
    pub(super) async fn connect(
        &self,
        place: &Place,
        addresses: &[SocketAddr],
        deadline: Instant,
    ) -> Result<(Pin<Box<dyn Link>>, SocketAddr), HttpError> {
        let failed = |error: &dyn std::fmt::Display| HttpError::NotSent(format!("no connection to {place}: {error}"));
        let (stream, peer) = first(addresses, deadline).await.map_err(|error| failed(&error))?;
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        if place.scheme == Scheme::Http {
            return Ok((Box::pin(stream), peer));
        }
        let name = server_name(&place.host).ok_or_else(|| failed(&"TLS has no such name"))?;
        let tls = self.tls.connector().await.map_err(|error| failed(&error))?;
        match tls.connect(name, stream).await {
            Ok(stream) => Ok((Box::pin(stream), peer)),
            Err(error) => Err(HttpError::NotSent(format!("no TLS with {place}: {}", brief(&error.to_string())))),
        }
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Connector")
    }
}

async fn first(addresses: &[SocketAddr], deadline: Instant) -> io::Result<(TcpStream, SocketAddr)> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let tried = addresses.len().min(ATTEMPTS_MAX);
    for (index, address) in addresses.iter().take(tried).enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let patience = if index + 1 == tried { left } else { left.min(ATTEMPT) };
        match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((stream, *address)),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// Says why a place's address may not be connected to. The plugin isn't told the address: it may be within a network that
/// the plugin knows nothing about.
fn refusal(place: &Place, address: SocketAddr, private: bool) -> Option<String> {
    match Reach::of(address.ip()) {
        Reach::Private if !private => {
            Some(format!("{place} is at an address of the host's own networks, and its grant doesn't say private=yes"))
        }
        Reach::Never => Some(format!("{place} is at an address that nothing may be sent to")),
        Reach::Global | Reach::Private => None,
    }
}

fn server_name(host: &Host<String>) -> Option<ServerName<'static>> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).ok(),
        Host::Ipv4(address) => Some(IpAddr::V4(*address).into()),
        Host::Ipv6(address) => Some(IpAddr::V6(*address).into()),
    }
}

/// Shortens an error that may repeat what a server's certificate says.
fn brief(error: &str) -> String {
    error.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name with several addresses is refused for any of them: which one a connection takes isn't the guard's to know.
    #[test]
    fn one_bad_address_among_good_ones_is_refused() {
        let (place, _) = Place::of_url("https://rates.example").expect("a place");
        let check = |address: &str, private: bool, expected: Option<&str>| {
            let refusal = refusal(&place, address.parse().expect("an address"), private);
            assert_eq!(refusal.is_some(), expected.is_some(), "{address}");
            let (refusal, expected) = (refusal.unwrap_or_default(), expected.unwrap_or_default());
            assert!(refusal.contains(expected) && !refusal.contains(address), "{refusal}");
        };
        check("1.1.1.1:443", false, None);
        check("10.0.0.1:443", true, None);
        check("10.0.0.1:443", false, Some("https://rates.example:443 is at an address of the host's own networks"));
        check("[::ffff:10.0.0.1]:443", false, Some("private=yes"));
        check("169.254.169.254:443", true, Some("nothing may be sent to"));
        check("[::ffff:169.254.169.254]:443", true, Some("nothing may be sent to"));
    }

    /// Nothing resolves the name a second time: it has no address at all.
    #[tokio::test]
    async fn a_connection_goes_to_the_address_that_was_checked() {
        let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let [open_at, closed_at] = [&open, &closed].map(|listener| listener.local_addr().expect("an address"));
        drop(closed);
        let connector = Connector::new(Tls::new(None).expect("no file"), 1);
        let (place, _) = Place::of_url(&format!("http://rates.invalid:{}", closed_at.port())).expect("a place");
        let deadline = Instant::now() + Duration::from_secs(5);
        // An address that refuses isn't the last one tried.
        let connected = connector.connect(&place, &[closed_at, open_at], deadline).await.map(|(_, peer)| peer);
        assert_eq!(connected, Ok(open_at));
        let refused = connector.connect(&place, &[closed_at; 9], deadline).await.map(|(_, peer)| peer);
        assert!(
            matches!(refused, Err(HttpError::NotSent(text)) if text.contains("no connection to http://rates.invalid"))
        );
    }
}
