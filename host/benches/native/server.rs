//! `POST /checkout` as a plain hyper server: the same request, the same store, the same answer.
//!
//! What till's checkouts are measured against: it has no plugins, no telemetry, no limits and no deadlines.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use till::{
    order::{Cart, Currency, Item, Line, Quantity},
    store::Store,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::checkout::checkout;

/// A server at work; [`Server::stop`] ends it.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    store: Store,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Shop {
    store: Store,
    currency: Currency,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order<'a> {
    item: String,
    quantity: u32,
    #[serde(borrow)]
    price: &'a RawValue,
}

#[derive(Serialize)]
struct Reply<'a> {
    order_id: u64,
    reference: &'a str,
    status: &'static str,
    item: &'a str,
    total_price: Box<RawValue>,
}

impl Server {
    /// # Errors
    /// When no port is free.
    pub(crate) async fn start(store: Store, currency: Currency) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shop = Arc::new(Shop { store: store.clone(), currency });
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _peer)) = listener.accept().await {
                connections.spawn(connection(stream, Arc::clone(&shop)));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, store, accepting })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts its connections off and closes the store; what was queued is carried out.
    pub(crate) async fn stop(self) {
        self.accepting.abort();
        _ = self.accepting.await;
        self.store.close().await;
    }
}

async fn connection(stream: TcpStream, shop: Arc<Shop>) {
    _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shop = Arc::clone(&shop);
        async move { Ok::<_, Infallible>(answer(&shop, request).await) }
    });
    _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(shop: &Shop, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, body) = match sell(shop, request).await {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string().into_bytes()),
    };
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn sell(shop: &Shop, request: Request<Incoming>) -> anyhow::Result<Vec<u8>> {
    anyhow::ensure!(request.method() == "POST" && request.uri().path() == "/checkout", "there is no such route");
    let body = request.into_body().collect().await?.to_bytes();
    let cart = cart(&body, shop.currency)?;
    let (id, reference, receipt) = checkout(&shop.store, &cart, shop.currency).await?;
    let reply = Reply {
        order_id: id.number(),
        reference: reference.as_str(),
        status: "COMPLETED",
        item: cart.single().map_or("", |line| line.item.as_str()),
        total_price: RawValue::from_string(shop.currency.format(receipt.total()))?,
    };
    Ok(serde_json::to_vec(&reply)?)
}

fn cart(body: &[u8], currency: Currency) -> anyhow::Result<Cart> {
    let order: Order<'_> = serde_json::from_slice(body)?;
    let unit_price = currency.parse(order.price.get())?;
    let line = || {
        let (item, quantity) = (Item::parse(&order.item)?, Quantity::new(order.quantity)?);
        Some(Line { item, quantity, unit_price, attributes: Vec::new() })
    };
    let cart = line().and_then(|line| Cart::new(vec![line], Vec::new()));
    cart.ok_or_else(|| anyhow::anyhow!("no such cart"))
}
