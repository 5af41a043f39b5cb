//! A server proves the granted name, or nothing is sent to it.

use certificates::Authority;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use super::{server::read_request, *};

/// A server that speaks TLS, and the requests that came through it.
struct Secured {
    port: u16,
    requests: Arc<parking_lot::Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Secured {
    /// Answers with these bytes; closes the TLS session properly only if `says_goodbye`.
    async fn answering(acceptor: TlsAcceptor, answer: &'static str, says_goodbye: bool) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::<parking_lot::Mutex<Vec<String>>>::default();
        let received = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let request = read_request(&mut stream).await;
                received.lock().push(request);
                drop(stream.write_all(answer.as_bytes()).await);
                drop(stream.flush().await);
                if says_goodbye {
                    drop(stream.shutdown().await);
                }
            }
        });
        Self { port, requests, task }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().clone()
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn trusting(authority: &Authority) -> Outbound {
    Outbound::new(&config::Outbound { ca_file: Some(authority.file()), ..settings() }).expect("usable settings")
}

async fn ask_at(outbound: &Outbound, host: &str, port: u16) -> Exchange {
    let url = format!("https://{host}:{port}");
    send(outbound, &grants(&[&format!("{url} private=yes")]), get(url)).await
}

#[tokio::test]
async fn a_server_that_proves_its_name_is_asked() {
    let authority = Authority::new();
    let outbound = trusting(&authority);
    for host in ["localhost", "127.0.0.1"] {
        let server = Secured::answering(authority.acceptor(host, 30), ANSWER, true).await;
        let exchange = ask_at(&outbound, host, server.port).await;
        assert_eq!(exchange.observed.scheme, Some("https"));
        assert_eq!(answered(exchange).body, "hi");
        assert!(server.requests().concat().contains(&format!("\r\nhost: {host}:{}\r\n", server.port)));
    }
}

#[tokio::test]
async fn a_server_that_doesnt_prove_its_name_is_sent_nothing() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let outbound = trusting(&authority);
    for (acceptor, host, expected) in [
        (authority.acceptor("other.example", 30), "localhost", "not valid for name"),
        (authority.acceptor("localhost.evil.example", 30), "localhost", "not valid for name"),
        (authority.acceptor("*", 30), "localhost", "certificate"),
        (authority.acceptor("localhost", 30), "127.0.0.1", "not valid for name"),
        (authority.acceptor("127.0.0.2", 30), "127.0.0.1", "not valid for name"),
        (stranger.acceptor("localhost", 30), "localhost", "certificate"),
        (authority.acceptor("localhost", -1), "localhost", "expired"),
    ] {
        let server = Secured::answering(acceptor, ANSWER, true).await;
        let exchange = ask_at(&outbound, host, server.port).await;
        match &exchange.result {
            Err(HttpError::NotSent(text)) => {
                assert!(text.starts_with(&format!("no TLS with https://{host}:")) && text.contains(expected), "{text}");
            }
            other => panic!("{expected}: {other:?}"),
        }
        assert_eq!(server.requests(), Vec::<String>::new());
    }
    // Without the file, only the system's authorities count.
    let server = Secured::answering(authority.acceptor("localhost", 30), ANSWER, true).await;
    let exchange = ask_at(&super::outbound(), "localhost", server.port).await;
    assert!(matches!(exchange.result, Err(HttpError::NotSent(_))), "{exchange:?}");
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn plain_text_and_tls_arent_mixed_up() {
    let authority = Authority::new();
    let outbound = trusting(&authority);
    let plain = Server::answering(ANSWER).await;
    // The server takes the handshake for the beginning of a request, and waits for the rest.
    let url = format!("https://localhost:{}", plain.port());
    let request = Request { timeout_ms: 500, ..get(&url) };
    let exchange = send(&outbound, &grants(&[&format!("{url} private=yes")]), request).await;
    assert!(matches!(exchange.result, Err(HttpError::NotSent(_))), "{exchange:?}");
    assert!(plain.requests().iter().all(|request| !request.contains("GET")));

    let server = Secured::answering(authority.acceptor("localhost", 30), ANSWER, true).await;
    let url = format!("http://localhost:{}", server.port);
    let exchange = send(&outbound, &grants(&[&format!("{url} private=yes")]), get(&url)).await;
    assert!(matches!(exchange.result, Err(HttpError::Unknown(_))), "{exchange:?}");
}

/// Anybody on the way can close a connection, but can't say goodbye within TLS. An answer that ends with its connection
/// and without that was cut off.
#[tokio::test]
async fn an_answer_that_is_cut_off_is_none() {
    let authority = Authority::new();
    let outbound = trusting(&authority);
    let open = "HTTP/1.1 200 OK\r\n\r\nhi";
    for (answer, says_goodbye, is_whole) in [(open, true, true), (open, false, false), (ANSWER, false, true)] {
        let server = Secured::answering(authority.acceptor("localhost", 30), answer, says_goodbye).await;
        let exchange = ask_at(&outbound, "localhost", server.port).await;
        match exchange.result {
            Ok(response) => assert!(is_whole && response.body == "hi", "{answer:?}"),
            Err(HttpError::Unknown(text)) => assert!(!is_whole, "{answer:?}: {text}"),
            Err(other) => panic!("{answer:?}: {other:?}"),
        }
    }
}

/// Variables by which other clients are sent elsewhere. The test sets none, for that would be the whole process's; it
/// looks whether the code asks for any.
#[test]
fn no_proxy_of_the_environment_is_asked() {
    let sources = [
        include_str!("../connect.rs"),
        include_str!("../exchange.rs"),
        include_str!("../tls.rs"),
        include_str!("../../outbound.rs"),
    ];
    for source in sources {
        assert!(!source.contains("env::") && !source.to_lowercase().contains("_proxy"));
    }
}
