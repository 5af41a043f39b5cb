//! Files as shops write them, and what is said of those that aren't right.

use super::*;
use crate::{
    facts::{FieldKey, FieldValue},
    order::MinorUnits,
};

fn read(form: ImportForm, text: &str) -> Result<ImportedFile, String> {
    let dollars = Currency::of_code("USD").expect("a code");
    ImportedFile::read(form, text.as_bytes(), dollars).map_err(|error| error.to_string())
}

fn catalogue(form: ImportForm, text: &str) -> Catalogue {
    let file = read(form, text).unwrap_or_else(|error| panic!("{text}: {error}"));
    file.over(&Catalogue::default(), false).0
}

fn key(text: &str) -> FieldKey {
    FieldKey::parse(text).expect("a key")
}

/// The same catalogue in both forms.
const CSV: &str = "\u{feff}item,title,price,weight_grams,tags,tax_category,needs_shipping,field:care.wash,field:bundles.parts:json,field:shelf.row:integer,field:shelf.height:decimal,field:shelf.cold:flag\r
mug,\"Mug, blue\",9.9,300,sale; new,standard,,40\u{b0},\"[\"\"tea\"\",1.10]\",7,0.5,no\r
voucher,,,,,,FALSE,,,,,\r
";
const JSON: &str = r#"{
  "items": [
    {"item": "mug", "title": "Mug, blue", "price": 9.90, "weight_grams": 300, "tags": ["sale", "new"], "tax_category": "standard",
     "needs_shipping": null, "fields": {"care.wash": "40°", "bundles.parts": ["tea",1.10], "shelf.row": 7, "shelf.height": 5e-1,
     "shelf.cold": false, "shelf.none": null}},
    {"item": "voucher", "needs_shipping": false}
  ],
  "shop_fields": {"shop.open": true}
}"#;

#[test]
fn both_forms_say_the_same() {
    let (csv, json) = (catalogue(ImportForm::Csv, CSV), catalogue(ImportForm::Json, JSON));
    assert!(csv.after(None).eq(json.after(None)), "{csv:#?}\n{json:#?}");
    let item = |name: &str| Item::parse(name).expect("an item");
    let mug = json.product(&item("mug")).expect("a mug");
    assert_eq!((mug.title.as_str(), mug.price, mug.weight_grams), ("Mug, blue", MinorUnits::new(990), Some(300)));
    assert_eq!(
        (&*mug.tags, mug.tax_category.as_deref(), mug.needs_shipping),
        (&["sale".into(), "new".into()][..], Some("standard"), true)
    );
    let parts = FieldValue::Json(r#"["tea",1.10]"#.into());
    assert_eq!(mug.fields.get(&key("bundles.parts")), Some(&parts), "as it was written");
    assert_eq!(mug.fields.get(&key("shelf.height")), Some(&FieldValue::Decimal(0.5)));
    assert_eq!(mug.fields.len(), 5);
    let voucher = json.product(&item("voucher")).expect("a voucher");
    assert_eq!((voucher.title.as_str(), voucher.price, voucher.needs_shipping), ("voucher", None, false));
    assert_eq!(json.shop_fields().get(&key("shop.open")), Some(&FieldValue::Flag(true)));
    assert_eq!(catalogue(ImportForm::Json, "[]"), Catalogue::default());
}

#[test]
fn a_file_replaces_or_is_merged() {
    let now = catalogue(ImportForm::Json, JSON);
    let other = r#"[{"item":"tea","price":3},{"item":"mug","title":"Mug"},{"item":"voucher","needs_shipping":false}]"#;
    let merged = r#"{"items":[{"item":"tea"}],"shop_fields":{"shop.motto":"x"}}"#;
    let items = |catalogue: &Catalogue| {
        catalogue.after(None).map(|product| product.item.to_string()).collect::<Vec<_>>().join(" ")
    };

    let (next, changes) = read(ImportForm::Json, other).expect("reads").over(&now, false);
    assert_eq!(changes, Changes { added: 1, changed: 1, removed: 0, unchanged: 1 });
    assert_eq!(items(&next), "mug tea voucher");
    assert_eq!(next.shop_fields(), now.shop_fields(), "the file says nothing of them");
    assert_eq!(
        next.product(&Item::parse("mug").expect("an item")).map(|mug| mug.price),
        Some(None),
        "an item is replaced whole"
    );

    let (next, changes) = read(ImportForm::Json, merged).expect("reads").over(&now, true);
    assert_eq!(changes, Changes { added: 1, changed: 0, removed: 0, unchanged: 0 });
    assert_eq!((items(&next).as_str(), next.shop_fields().len()), ("mug tea voucher", 2));

    let (next, changes) = read(ImportForm::Json, merged).expect("reads").over(&now, false);
    assert_eq!(changes, Changes { added: 1, changed: 0, removed: 2, unchanged: 0 });
    assert_eq!((items(&next).as_str(), next.shop_fields().len()), ("tea", 1));
}

#[test]
fn an_error_says_where_and_what_to_write() {
    let check = |form, text: &str, expected: &str| {
        let error = read(form, text).expect_err(text);
        assert!(error.starts_with(expected), "{text:?}: {error}");
    };
    let csv = |text: &str, expected: &str| check(ImportForm::Csv, text, expected);
    csv("", "line 1: the file is empty");
    csv("item;price\nmug;1", "line 1: the columns have other separators; write commas");
    csv(
        "item,titel\nmug,Mug",
        "line 1, column titel: there is no column titel; did you mean title?; there are item, title, price",
    );
    csv("item,item\n", "line 1, column item: stands twice");
    csv("title\nMug", "line 1: there is no column item");
    csv("item,field:wash\n", "line 1, column field:wash: wash is no key of a field");
    csv("item,field:a.b:jsn\n", "line 1, column field:a.b:jsn: there is no type of a field jsn; did you mean json?");
    csv("item,field:a.b,field:a.b:json\n", "line 1, column field:a.b:json: stands twice");
    csv("item,price\nmug,1.00\ntea,\"2,80\"\n", "line 3, column price: the price 2,80 has a comma");
    csv("item,price\nmug,1.005", "line 2, column price: the price 1.005 has more decimals than USD");
    csv("item,title\n\"a\",\"two\nlines\"\nmug,Mug\nmug,Cup\n", "line 2, column title: a title is one line");
    csv("item,price\r\nmug,1\r\n\r\ntea,x\r\n", "line 4, column price: the price x");
    csv("item,title\nmug,Mug\n\nmug,Cup\n", "line 4, item: mug stands in the file twice");
    csv("item,title\nmug,Mug, blue\n", "line 2: has 3 cells, and there are 2 columns; put quotes");
    csv("item,title\n,Mug\n", "line 2, column item: is empty");
    csv("item\n\u{200b}mug\n", "line 2, column item: an item is a text");
    csv("item,weight_grams\nmug,300g\n", "line 2, column weight_grams: 300g is no weight: write whole grams");
    csv("item,needs_shipping\nmug,maybe\n", "line 2, column needs_shipping: write true or false");
    csv("item,field:a.b:json\nmug,{\n", "line 2, column field:a.b: the field is no JSON");
    csv("item,field:a.b:integer\nmug,1.5\n", "line 2, column field:a.b: the field is no whole number");
    csv(&format!("item,tags\nmug,{}\n", "x;".repeat(65)), "line 2, column tags: an item has 64 tags at most");

    let json = |text: &str, expected: &str| check(ImportForm::Json, text, expected);
    json("[\n{\n", "line 3: is no JSON");
    json("7", "line 1, the file: write an array of items, or an object with items");
    json("{\n\"itms\":[]}", "line 2, itms: there is no member itms; did you mean items?");
    json("{}", "line 1, items: is missing");
    json("[{\"item\":\"a\"},\n7]", "line 2, item: an item is an object");
    json("[{\"item\":\"a\"},\n{\"title\":\"b\"}]", "line 2, item: is missing");
    json("[{\"item\":\"a\",\n\"titel\":\"b\"}]", "line 2, titel: there is no member titel; did you mean title?");
    json("[{\"item\":\"a\",\n\"item\":\"b\"}]", "line 2, item: stands twice");
    json("[{\"item\":\"a\"},\n\n{\"item\":\"a\"}]", "line 3, item: a stands in the file twice");
    json("[{\"item\":\"a\",\"price\":\n\"9.90\"}]", "line 2, price: write a number, without quotes");
    json("[{\"item\":\"a\",\"price\":-1}]", "line 1, price: the price -1 is negative");
    json("[{\"item\":\"a\",\"tags\":\"b\"}]", "line 1, tags: write an array of texts");
    json("[{\"item\":\"a\",\"needs_shipping\":\"no\"}]", "line 1, needs_shipping: write true or false, without quotes");
    json("[{\"item\":\"a\",\"fields\":{\"b\":1}}]", "line 1, fields.b: b is no key of a field");
    json("[{\"item\":\"a\",\"fields\":{\"a.b\":0.1000000000000000055}}]", "line 1, fields.a.b: the field is no number");
    json("{\"items\":[],\"shop_fields\":[]}", "line 1, shop_fields: write an object");

    let dollars = Currency::of_code("USD").expect("a code");
    let latin = ImportedFile::read(ImportForm::Csv, b"item\nmug\ncaf\xe9\n", dollars).expect_err("not UTF-8");
    assert!(latin.to_string().starts_with("line 3: has bytes that aren't UTF-8"), "{latin}");
}
