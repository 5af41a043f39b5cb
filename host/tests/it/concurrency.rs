//! Many at once.

use crate::support::Host;

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
                serde_json::json!({ "item": "headphones", "quantity": 1, "price": 1 }),
                serde_json::json!({ "item": "smartphone", "quantity": 1, "price": 1 }),
            ];
            if number % 2 == 0 {
                lines.reverse();
            }
            scope.spawn(move || {
                for _ in 0..5 {
                    let answer = shop.post("/checkout", &serde_json::json!({ "lines": lines }));
                    assert_eq!(answer.status, 200, "{}", answer.text());
                }
            });
        }
    });
    assert_eq!((host.on_hand("headphones"), host.on_hand("smartphone")), (120, 20));
    host.stop();
}
