//! The generated bindings of both worlds. The shared interfaces are generated once, with the checkout world.

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
