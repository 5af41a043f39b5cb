//! The generated bindings of all worlds. The shared interfaces of a track are generated once.

pub mod checkout {
    wasmtime::component::bindgen!({
        path: "../wit/v0.1",
        world: "checkout-plugin",
        imports: {
            "till:plugin/inventory.deduct": async | trappable,
            "till:plugin/host.sleep": async | trappable,
            default: trappable,
        },
        exports: { default: async },
    });
}

pub mod inventory {
    wasmtime::component::bindgen!({
        path: "../wit/v0.1",
        world: "inventory-plugin",
        imports: {
            "till:plugin/stock": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        with: {
            "till:plugin/types": super::checkout::till::plugin::types,
            "till:plugin/telemetry": super::checkout::till::plugin::telemetry,
            "till:plugin/host": super::checkout::till::plugin::host,
        },
    });
}

pub use checkout::{
    exports::till::plugin::checkout as checkout_world,
    till::plugin::{host, inventory as inventory_import, telemetry, types},
};
pub use inventory::{InventoryPluginPre, exports::till::plugin::inventory as inventory_world, till::plugin::stock};

/// Track 0.2: one world that has the imports and exports of all its hooks, so that each type is generated once.
pub mod v0_2 {
    wasmtime::component::bindgen!({
        path: "../wit/v0.2",
        inline: "
            package till:host;

            world hooks {
                import till:plugin/settings@0.2.0;
                import till:plugin/facts@0.2.0;
                import till:plugin/http@0.2.0;
                import till:plugin/telemetry@0.2.0;
                export till:plugin/cart-transform@0.2.0;
                export till:plugin/validation@0.2.0;
                export till:plugin/discounts@0.2.0;
                export till:plugin/delivery-options@0.2.0;
                export till:plugin/delivery-discounts@0.2.0;
                export till:plugin/delivery-menu@0.2.0;
                export till:plugin/tax@0.2.0;
                export till:plugin/payment-menu@0.2.0;
            }
        ",
        imports: {
            "till:plugin/http.send": async | trappable,
            default: trappable,
        },
        exports: { default: async },
    });
}
