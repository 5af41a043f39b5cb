//! The catalogue: replaced whole, over the one that an import began with.

use super::{
    super::{Store, StoreError, StoredCatalogue},
    On, Shop, on_each_database,
};

on_each_database!(
    a_catalogue_is_replaced_whole,
    an_import_over_another_epoch_changes_nothing,
    a_large_catalogue_is_read_as_it_was_written,
);

fn parts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

async fn stored(store: &Store) -> StoredCatalogue {
    store.catalogue().await.expect("reads")
}

async fn a_catalogue_is_replaced_whole(on: On) {
    let shop = Shop::new(on, &[]).await;
    assert_eq!(stored(&shop.store).await, StoredCatalogue::default());
    assert_eq!(shop.store.replace_catalogue(0, parts(&["mug", "tea", "cup"])).await.expect("replaces"), 1);
    assert_eq!(shop.store.replace_catalogue(1, parts(&["pot", "mug"])).await.expect("replaces"), 2);
    let expected = StoredCatalogue { epoch: 2, parts: parts(&["pot", "mug"]) };
    assert_eq!(stored(&shop.store).await, expected);
    shop.store.close().await;
    let (store, _) = shop.place.open().await;
    assert_eq!(stored(&store).await, expected, "it outlives the host");
    assert_eq!(store.replace_catalogue(2, Vec::new()).await.expect("replaces"), 3);
    assert_eq!(stored(&store).await, StoredCatalogue { epoch: 3, parts: Vec::new() });
    store.close().await;
}

async fn an_import_over_another_epoch_changes_nothing(on: On) {
    let shop = Shop::new(on, &[]).await;
    shop.store.replace_catalogue(0, parts(&["mug"])).await.expect("replaces");
    for over in [0, 2, u64::MAX] {
        let refused = shop.store.replace_catalogue(over, parts(&["tea"])).await.expect_err("it has another epoch");
        assert!(matches!(refused, StoreError::CatalogueChanged), "{refused}");
    }
    assert_eq!(stored(&shop.store).await, StoredCatalogue { epoch: 1, parts: parts(&["mug"]) });
    let (one, other) =
        tokio::join!(shop.store.replace_catalogue(1, parts(&["a"])), shop.store.replace_catalogue(1, parts(&["b"])));
    assert!(one.is_ok() != other.is_ok(), "one of two imports at a time: {one:?} {other:?}");
    shop.store.close().await;
}

async fn a_large_catalogue_is_read_as_it_was_written(on: On) {
    let shop = Shop::new(on, &[]).await;
    let bytes: Vec<u8> = (0..256 * 1024_u32).map(|at| (at % 251) as u8).collect();
    let parts = vec![bytes; 40];
    shop.store.replace_catalogue(0, parts.clone()).await.expect("replaces");
    assert!(stored(&shop.store).await.parts == parts);
    shop.store.close().await;
}
