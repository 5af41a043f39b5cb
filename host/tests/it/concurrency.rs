//! Many at once.

use std::{
    sync::{
        Barrier, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{Client, Host, PATIENCE, http::order_of, rounds};

/// Between the first two tries of a buyer who is told to come again, and between later ones: as long as it took until then.
const RETRY: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

#[test]
fn one_piece_is_sold_to_one_of_a_thousand_buyers() {
    const BUYERS: usize = 1_000;
    let rounds = rounds(10, 100);
    let host = (0..rounds).fold(Host::plan(), |plan, round| plan.set(format!("stock.last_{round}=1"))).start();
    let sold: Vec<AtomicUsize> = (0..rounds).map(|_| AtomicUsize::new(0)).collect();
    let broken = Mutex::new(Vec::new());
    let start = Barrier::new(BUYERS);
    std::thread::scope(|scope| {
        for buyer in 0..BUYERS {
            // A connection of its own.
            let shop = Client::new(&host.shop.address);
            let (sold, broken, start) = (&sold, &broken, &start);
            scope.spawn(move || {
                for (round, sold) in sold.iter().enumerate() {
                    // Reached whatever the result, because the others wait here.
                    start.wait();
                    match buys(&shop, &format!("last_{round}"), &format!("buyer-{buyer}-{round}")) {
                        Ok(bought) => _ = sold.fetch_add(usize::from(bought), Relaxed),
                        Err(answer) => broken.lock().expect("nobody panics").push(answer),
                    }
                }
            });
        }
    });
    assert_eq!(broken.into_inner().expect("nobody panics"), [""; 0]);
    let sold: Vec<usize> = sold.into_iter().map(AtomicUsize::into_inner).collect();
    assert_eq!(sold, vec![1; rounds]);
    host.stop();
}

/// Returns whether the shop sold the piece. Asks again if the shop can't answer now, or has closed the connection
/// because it was idle.
fn buys(shop: &Client, item: &str, key: &str) -> Result<bool, String> {
    let order = order_of(item, 1).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let started = Instant::now();
    loop {
        match shop.send("POST", "/checkout", &headers, Some(order.as_bytes())) {
            Ok(answer) if answer.status == 200 => return Ok(true),
            Ok(answer) if answer.status == 400 => return Ok(false),
            Ok(answer) if !matches!(answer.status, 409 | 503) => return Err(answer.text()),
            again if started.elapsed() > PATIENCE => return Err(format!("{again:?}")),
            // A client that retries without waiting keeps the waiting clients from being served.
            Ok(_) => std::thread::sleep(started.elapsed().clamp(RETRY[0], RETRY[1])),
            Err(_) => {}
        }
    }
}

#[test]
fn two_lines_of_one_item_never_oversell_it() {
    let host = Host::plan().set("stock.headphones=51").start();
    let line = |quantity: u32| json!({ "item": "headphones", "quantity": quantity, "price": 1 });
    let too_many = host.shop.post("/checkout", &json!({ "lines": [line(26), line(26)] }));
    assert_eq!((too_many.status, &*too_many.code()), (400, "insufficient_stock"), "{}", too_many.text());
    let pair = json!({ "lines": [line(1), line(1)] });
    let sold = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let answer = host.shop.post("/checkout", &pair);
                sold.fetch_add(usize::from(answer.status == 200), Relaxed);
            });
        }
    });
    assert_eq!((sold.into_inner(), host.on_hand("headphones")), (25, 1));
    host.stop();
}

#[test]
fn the_last_pieces_are_sold_once_each() {
    let host = Host::plan().set("stock.headphones=50").start();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let buyers: Vec<_> = (0..64)
            .map(|_| {
                let shop = host.shop.clone();
                scope.spawn(move || shop.buy("headphones", 1))
            })
            .collect();
        buyers.into_iter().map(|buyer| buyer.join().expect("an answer")).collect()
    });
    let sold = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 400 && answer.code() == "insufficient_stock").count();
    assert_eq!((sold, refused), (50, 14));
    assert_eq!(host.on_hand("headphones"), 0);
    let orders = host.orders();
    let stand = |status: &str| orders.iter().filter(|order| order["status"] == status).count();
    assert_eq!((stand("COMPLETED"), stand("FAILED")), (50, 14));
    host.stop();
}

#[test]
fn carts_in_opposite_order_dont_lock_each_other_out() {
    let host = Host::start();
    std::thread::scope(|scope| {
        for number in 0..16 {
            let shop = host.shop.clone();
            let mut lines = vec![
                json!({ "item": "headphones", "quantity": 1, "price": 1 }),
                json!({ "item": "smartphone", "quantity": 1, "price": 1 }),
            ];
            if number % 2 == 0 {
                lines.reverse();
            }
            scope.spawn(move || {
                for _ in 0..5 {
                    let answer = shop.post("/checkout", &json!({ "lines": lines }));
                    assert_eq!(answer.status, 200, "{}", answer.text());
                }
            });
        }
    });
    assert_eq!((host.on_hand("headphones"), host.on_hand("smartphone")), (120, 20));
    host.stop();
}
