//! What ends too early or too late: torn bodies, chunks, pipelines.

use super::{Case, ORDER, check_all};
use crate::support::{
    Host,
    raw::{Raw, checkout, checkout_with, request},
};

const CHUNKED: [&str; 3] = ["host: 127.0.0.1", "content-type: application/json", "transfer-encoding: chunked"];

fn chunked(body: impl AsRef<[u8]>) -> Vec<u8> {
    request("POST /checkout HTTP/1.1", &CHUNKED, body)
}

#[test]
fn a_torn_body_is_no_order() {
    let length = ORDER.len();
    let first = format!("{length:x}\r\n{ORDER}\r\n");
    let refused = |name: &str, body: String| Case::new(name, chunked(body), 400, "malformed").closing();
    let announced = |length: usize| {
        let length = format!("content-length: {length}");
        request("POST /checkout HTTP/1.1", &["host: 127.0.0.1", "content-type: application/json", &length], ORDER)
    };
    check_all(&[
        Case::new("shorter than its length", announced(length + 1), 400, "malformed").finishing().closing(),
        Case::new("longer than its length", announced(length - 1), 400, "malformed"),
        Case::new(
            "nothing of its length",
            request(
                "POST /checkout HTTP/1.1",
                &["host: 127.0.0.1", "content-type: application/json", "content-length: 48"],
                "",
            ),
            400,
            "malformed",
        )
        .finishing()
        .closing(),
        Case::new("no length", request("POST /checkout HTTP/1.1", &CHUNKED[..2], ORDER), 400, "malformed").closing(),
        Case::new("no length in HTTP/1.0", request("POST /checkout HTTP/1.0", &CHUNKED[..2], ORDER), 400, "malformed")
            .closing(),
        refused("no last chunk", first.clone()).finishing(),
        refused("half a last chunk", format!("{first}0\r\n")).finishing(),
        refused("half a chunk", format!("{length:x}\r\n{}", &ORDER[..20])).finishing(),
        refused("no chunk", String::new()).finishing(),
        refused("only a last chunk", "0\r\n\r\n".into()),
        refused("a size past all numbers", format!("fffffffffffffffff\r\n{ORDER}\r\n0\r\n\r\n")),
        refused(
            "a size that overflows to the right one",
            format!("100000000000000{length:02x}\r\n{ORDER}\r\n0\r\n\r\n"),
        ),
        refused("a negative size", format!("-{first}0\r\n\r\n")),
        refused("a size with 0x", format!("0x{first}0\r\n\r\n")),
        refused("no size", format!("\r\n{ORDER}\r\n0\r\n\r\n")),
        refused("no hexadecimal", format!("zz\r\n{ORDER}\r\n0\r\n\r\n")),
        refused("a space before the size", format!(" {first}0\r\n\r\n")),
        refused("a bare line feed behind the size", format!("{length:x}\n{ORDER}\r\n0\r\n\r\n")),
        refused("no line end behind a chunk", format!("{length:x}\r\n{ORDER}0\r\n\r\n")),
        refused("a chunk that is too small", format!("{:x}\r\n{ORDER}\r\n0\r\n\r\n", length - 1)),
        refused("a trailer without a colon", format!("{first}0\r\nx\r\n\r\n")),
    ]);
}

#[test]
fn pieces_of_any_size_and_trailers_make_one_order() {
    let host = Host::start();
    let pieces: String = ORDER.chars().map(|letter| format!("1;x=\"y\"\r\n{letter}\r\n")).collect();
    for body in [format!("{pieces}0\r\n\r\n"), format!("{pieces}0\r\nhost: other.example\r\ncontent-length: 3\r\n\r\n")]
    {
        let mut connection = Raw::connect(&host.shop.address);
        // Behind chunks the connection isn't followed further: what stands there is never read.
        connection.send([chunked(body), checkout(ORDER)].concat());
        let answer = connection.answer().expect("an answer");
        assert_eq!((answer.status, answer.header("connection")), (200, "close"), "{}", answer.text());
        assert!(connection.is_closed());
    }
    assert_eq!(host.orders().len(), 2);
    host.stop();
}

#[test]
fn behind_a_good_request_the_next_is_read_and_behind_a_doubtful_one_none() {
    let host = Host::start();
    let good = checkout(ORDER);
    let (length, chunk) =
        (format!("content-length: {}", ORDER.len()), format!("{:x}\r\n{ORDER}\r\n0\r\n\r\n", ORDER.len()));
    let doubtful = [
        request("POST /checkout HTTP/1.1", &[&CHUNKED[..], &[&length]].concat(), chunk),
        checkout_with(&[&length], ORDER),
        checkout_with(&["host: b"], ORDER),
        checkout_with(&["expect: tea"], ORDER),
        // The second request is what a reader by chunks leaves over of the first one's body.
        request("POST /checkout HTTP/1.1", &[&CHUNKED[..], &["content-length: 6"]].concat(), "0\r\n\r\nG"),
    ];
    for (number, doubtful) in doubtful.iter().enumerate() {
        let mut connection = Raw::connect(&host.shop.address);
        connection.send([&*good, &good, doubtful, &good, &good].concat());
        let mut statuses = Vec::new();
        while let Some(answer) = connection.answer() {
            statuses.push(answer.status);
        }
        let refused = if number == 3 { 417 } else { 400 };
        assert_eq!(statuses, [200, 200, refused], "behind doubtful request {number}");
    }
    assert_eq!(host.orders().len(), 2 * doubtful.len());
    host.stop();
}

#[test]
fn a_request_without_a_body_may_have_one_that_nobody_reads() {
    let host = Host::start();
    let mut connection = Raw::connect(&host.shop.address);
    let live = request("GET /livez HTTP/1.1", &["host: 127.0.0.1", "content-length: 5"], "hello");
    connection.send(&live);
    let answer = connection.answer().expect("an answer");
    assert_eq!((answer.status, answer.header("connection")), (200, "close"));
    assert!(connection.is_closed());
    host.stop();
}

#[test]
fn an_early_answer_outlives_what_is_still_sent() {
    let host = Host::plan().set("limits.linger_ms=60000").start();
    let body = vec![b' '; 8 << 20];
    for _ in 0..8 {
        let mut connection = Raw::connect(&host.shop.address);
        // All of it is sent before anything is read, as many clients do.
        connection.send_whole(checkout(&body));
        let answer = connection.answer().expect("an answer, not a reset");
        assert_eq!((answer.status, answer.header("connection")), (413, "close"));
    }
    host.stop();
}
