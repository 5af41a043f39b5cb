//! A good one: makes outfits of hats and lamps, as many as the first line of each allows, for what the parts cost; and adds a song, at
//! the catalogue's price, for whoever enters the code of its setting `gift`.

use till_sdk::hooks::{
    Cart, CartTransform, HookError, Line, Span,
    cart_transform::{Component, Merger, Operation, Part},
    only_settings, setting,
};

struct Outfits;

till_sdk::cart_transform_plugin!(Outfits);

impl CartTransform for Outfits {
    fn transform(_call: &Span, cart: Cart) -> Result<Vec<Operation>, HookError> {
        only_settings(&["gift"])?;
        let gift = cart.entered(setting("gift").or("BIG").text()?).map(|_| Operation::Add(Component::new("song", 1)));
        let first = |item: &str| cart.lines.iter().find(|line| line.item == item);
        let outfits = first("hat").zip(first("lamp")).map(|(hat, lamp)| Operation::Merge(outfits(hat, lamp)));
        Ok(outfits.into_iter().chain(gift).collect())
    }
}

fn outfits(hat: &Line, lamp: &Line) -> Merger {
    let part = |line: &Line| Part { line: line.id, quantity: 1 };
    Merger {
        parts: vec![part(hat), part(lamp)],
        quantity: hat.quantity.min(lamp.quantity),
        item: "outfit".to_owned(),
        title: Some("Outfit".to_owned()),
        decrease: None,
        attributes: Vec::new(),
    }
}
