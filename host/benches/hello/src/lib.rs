//! Answers each request with a few bytes, from a fresh instance: the least that a host of `wasi:http` components does.

use wasip2::{
    exports::http::incoming_handler::Guest,
    http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam},
};

struct Hello;

impl Guest for Hello {
    fn handle(_request: IncomingRequest, outparam: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(outparam, Ok(response));
        let Ok(stream) = body.write() else { return };
        _ = stream.blocking_write_and_flush(b"hello\n");
        drop(stream);
        _ = OutgoingBody::finish(body, None);
    }
}

wasip2::http::proxy::export!(Hello);
