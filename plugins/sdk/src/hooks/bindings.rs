//! The generated bindings of the eight worlds of track 0.2.
//!
//! What several worlds import is generated once, of a world that no plugin has, so that one [`super::Cart`] and one
//! [`super::Span`] serve all hooks. A plugin's component imports what the plugin calls and nothing else.

/// The interfaces that the worlds share.
pub mod shared {
    wit_bindgen::generate!({
        path: "../../wit/v0.2",
        inline: "
            package till:sdk;

            world shared {
              import till:plugin/types@0.2.0;
              import till:plugin/offers@0.2.0;
              import till:plugin/menus@0.2.0;
              import till:plugin/settings@0.2.0;
              import till:plugin/facts@0.2.0;
              import till:plugin/http@0.2.0;
              import till:plugin/telemetry@0.2.0;
            }
        ",
        world: "till:sdk/shared",
        generate_all,
        additional_derives: [PartialEq],
    });
}

/// Generates one world, with the shared interfaces that it uses taken from [`shared`].
macro_rules! world {
    ($module:ident, $world:literal $(, $interface:literal: $shared:ident)*) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit/v0.2",
                world: $world,
                pub_export_macro: true,
                additional_derives: [PartialEq],
                with: {
                    "till:plugin/types@0.2.0": crate::hooks::bindings::shared::till::plugin::types,
                    "till:plugin/settings@0.2.0": crate::hooks::bindings::shared::till::plugin::settings,
                    "till:plugin/facts@0.2.0": crate::hooks::bindings::shared::till::plugin::facts,
                    "till:plugin/telemetry@0.2.0": crate::hooks::bindings::shared::till::plugin::telemetry,
                    $($interface: crate::hooks::bindings::shared::till::plugin::$shared,)*
                },
            });
        }
    };
}

world!(cart_transform, "cart-transform-plugin");
world!(validation, "validation-plugin");
world!(discounts, "discounts-plugin", "till:plugin/offers@0.2.0": offers);
world!(delivery_options, "delivery-options-plugin", "till:plugin/menus@0.2.0": menus, "till:plugin/http@0.2.0": http);
world!(delivery_discounts, "delivery-discounts-plugin", "till:plugin/offers@0.2.0": offers, "till:plugin/menus@0.2.0": menus);
world!(delivery_menu, "delivery-menu-plugin", "till:plugin/menus@0.2.0": menus);
world!(tax, "tax-plugin", "till:plugin/menus@0.2.0": menus, "till:plugin/http@0.2.0": http);
world!(payment_menu, "payment-menu-plugin", "till:plugin/menus@0.2.0": menus);

pub(crate) use shared::till::plugin::{
    telemetry::{Level, add_event, annotate, end_span, fail_span, log, start_span},
    types::{Attribute, AttributeValue, TraceContext},
};
