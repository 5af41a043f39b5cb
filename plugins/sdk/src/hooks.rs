//! The hooks of track 0.2: what a plugin decides between a cart and its price.
//!
//! A plugin is a `cdylib` that implements the trait of one hook and names the type once in that hook's macro. What a hook may
//! answer is in the module of its name; what all hooks have is here. The contract is the comments of `wit/v0.2`.
//!
//! ```no_run
//! use till_sdk::hooks::discounts::{Decision, Offer};
//! use till_sdk::hooks::{Cart, Discounts, HookError, Span, setting};
//!
//! struct TeaWeek;
//!
//! till_sdk::discounts_plugin!(TeaWeek);
//!
//! impl Discounts for TeaWeek {
//!     fn decide(_call: &Span, cart: Cart) -> Result<Decision, HookError> {
//!         let percent = setting("percent").or("10").percent()?;
//!         let teas = cart.lines.iter().filter(|line| line.item == "tea");
//!         Ok(Offer::percent_off_lines("Tea week", percent, teas).into())
//!     }
//! }
//! ```

mod attribute;
#[doc(hidden)]
pub mod bindings;
mod cart;
mod json;
mod setting;
mod span;

pub mod cart_transform;
pub mod delivery_discounts;
pub mod delivery_menu;
pub mod delivery_options;
pub mod discounts;
pub mod facts;
pub mod http;
pub mod payment_menu;
pub mod tax;
pub mod validation;

pub use bindings::shared::till::plugin::{
    menus::{Change, DayRange, DeliveryChoices, DeliveryGroup, DeliveryKind, DeliveryOption, GroupId},
    offers::{Choice, Classes},
    telemetry::Level,
    types::{
        Attribute, AttributeValue, Cart, Currency, HookError, Line, LineId, MinorUnits, PartsPerMillion, Purpose,
        TraceContext,
    },
};
pub use cart::{first_pieces, percent_text, share_of};
pub use json::Json;
pub use setting::{Setting, only_settings, setting};
pub use span::Span;

use crate::NumberError;

/// The decision of a plugin that changes carts.
pub trait CartTransform {
    /// Returns the changes to the cart as the plugins before this one left it.
    ///
    /// # Errors
    /// The request fails.
    fn transform(call: &Span, cart: Cart) -> Result<Vec<cart_transform::Operation>, HookError>;
}

/// The decision of a plugin that refuses carts.
pub trait Validation {
    /// Returns what is wrong with the cart.
    ///
    /// # Errors
    /// The request fails, unless the operator said `on-failure=skip`.
    fn validate(call: &Span, cart: Cart) -> Result<Vec<validation::Violation>, HookError>;
}

/// The decision of a plugin that offers discounts on lines and their sum.
pub trait Discounts {
    /// Returns what the plugin would give, and what it says of codes.
    ///
    /// # Errors
    /// A quote goes on without the plugin's discounts, a checkout fails.
    fn decide(call: &Span, cart: Cart) -> Result<discounts::Decision, HookError>;
}

/// The decision of a plugin that offers ways of delivery.
pub trait DeliveryOptions {
    /// Returns the options for one group of lines.
    ///
    /// # Errors
    /// The plugin's options are missing.
    fn offer(call: &Span, question: delivery_options::Question) -> Result<Vec<DeliveryOption>, HookError>;
}

/// The decision of a plugin that offers discounts on delivery.
pub trait DeliveryDiscounts {
    /// Returns what the plugin would give.
    ///
    /// # Errors
    /// A quote goes on without the plugin's discounts, a checkout fails.
    fn decide(call: &Span, question: delivery_discounts::Question)
    -> Result<Vec<delivery_discounts::Offer>, HookError>;
}

/// The decision of a plugin that hides, renames and moves ways of delivery.
pub trait DeliveryMenu {
    /// Returns the changes, each group at most once.
    ///
    /// # Errors
    /// The request fails.
    fn customize(call: &Span, question: delivery_menu::Question)
    -> Result<Vec<delivery_menu::GroupChanges>, HookError>;
}

/// The decision of a plugin that assesses tax.
pub trait Tax {
    /// Returns the tax lines, at least one for each subject.
    ///
    /// # Errors
    /// The request fails.
    fn assess(call: &Span, question: tax::Question) -> Result<Vec<tax::TaxLine>, HookError>;
}

/// The decision of a plugin that hides, renames and moves ways to pay.
pub trait PaymentMenu {
    /// Returns the changes.
    ///
    /// # Errors
    /// The request fails.
    fn customize(call: &Span, question: payment_menu::Question) -> Result<Vec<Change>, HookError>;
}

impl HookError {
    /// Returns the error of a state that shouldn't be; the text is for the operator.
    #[must_use]
    pub fn other(message: impl Into<String>) -> Self {
        Self::Other(message.into())
    }

    /// Returns the error of something that doesn't answer; the text is for the operator.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable(message.into())
    }
}

impl From<NumberError> for HookError {
    fn from(error: NumberError) -> Self {
        Self::Other(error.to_string())
    }
}

impl Classes {
    /// No other offers.
    pub const NONE: Self = Self { product: false, order: false, delivery: false };
    /// All other offers.
    pub const ALL: Self = Self { product: true, order: true, delivery: true };
}

impl Change {
    /// Returns the change that takes an entry out of the list.
    #[must_use]
    pub fn hiding(id: &str) -> Self {
        Self::Hide(id.to_owned())
    }

    /// Returns the change of an entry's name for people.
    #[must_use]
    pub fn renaming(id: &str, title: &str) -> Self {
        let renaming = bindings::shared::till::plugin::menus::Renaming { id: id.to_owned(), title: title.to_owned() };
        Self::Rename(renaming)
    }

    /// Returns the change that moves an entry to a place, counted from 0.
    #[must_use]
    pub fn moving(id: &str, to: u32) -> Self {
        Self::Move(bindings::shared::till::plugin::menus::Move { id: id.to_owned(), to })
    }
}

/// Defines what each hook's function does: the decision of the plugin's type.
macro_rules! export {
    ($(
        $hook:ident::$function:ident for $plugin:ident ($input:ident: $given:ty) -> $answer:ty
    )*) => {
        $(impl<T: $plugin> bindings::$hook::exports::till::plugin::$hook::Guest for T {
            fn $function(ctx: TraceContext, $input: $given) -> Result<$answer, HookError> {
                T::$function(&Span::of_call(ctx), $input)
            }
        })*
    };
}

export! {
    cart_transform::transform for CartTransform (cart: Cart) -> Vec<cart_transform::Operation>
    validation::validate for Validation (cart: Cart) -> Vec<validation::Violation>
    discounts::decide for Discounts (cart: Cart) -> discounts::Decision
    delivery_options::offer for DeliveryOptions
        (question: delivery_options::Question) -> Vec<DeliveryOption>
    delivery_discounts::decide for DeliveryDiscounts
        (question: delivery_discounts::Question) -> Vec<delivery_discounts::Offer>
    delivery_menu::customize for DeliveryMenu
        (question: delivery_menu::Question) -> Vec<delivery_menu::GroupChanges>
    tax::assess for Tax (question: tax::Question) -> Vec<tax::TaxLine>
    payment_menu::customize for PaymentMenu (question: payment_menu::Question) -> Vec<Change>
}

/// Makes the crate a plugin that changes carts, as the type's [`CartTransform`](crate::hooks::CartTransform) says.
#[macro_export]
macro_rules! cart_transform_plugin {
    ($plugin:ident) => {
        $crate::hooks::bindings::cart_transform::export!($plugin with_types_in $crate::hooks::bindings::cart_transform);
        $crate::__version!();
    };
}

/// Makes the crate a plugin that refuses carts, as the type's [`Validation`](crate::hooks::Validation) says.
#[macro_export]
macro_rules! validation_plugin {
    ($plugin:ident) => {
        $crate::hooks::bindings::validation::export!($plugin with_types_in $crate::hooks::bindings::validation);
        $crate::__version!();
    };
}

/// Makes the crate a plugin that offers discounts, as the type's [`Discounts`](crate::hooks::Discounts) says.
#[macro_export]
macro_rules! discounts_plugin {
    ($plugin:ident) => {
        $crate::hooks::bindings::discounts::export!($plugin with_types_in $crate::hooks::bindings::discounts);
        $crate::__version!();
    };
}

/// Makes the crate a plugin that offers ways of delivery, as the type's [`DeliveryOptions`](crate::hooks::DeliveryOptions) says.
#[macro_export]
macro_rules! delivery_options_plugin {
    ($plugin:ident) => {
        $crate::hooks::bindings::delivery_options::export!($plugin with_types_in $crate::hooks::bindings::delivery_options);
        $crate::__version!();
    };
}

/// Makes the crate a plugin that offers discounts on delivery, as the type's [`DeliveryDiscounts`](crate::hooks::DeliveryDiscounts) says.
#[macro_export]
macro_rules! delivery_discounts_plugin {
    ($plugin:ident) => {
        $crate::hooks::bindings::delivery_discounts::export!($plugin with_types_in $crate::hooks::bindings::delivery_discounts);
        $crate::__version!();
    };
}

/// Makes the crate a plugin that changes the ways of delivery that are offered, as the type's [`DeliveryMenu`](crate::hooks::DeliveryMenu) says.
#[macro_export]
macro_rules! delivery_menu_plugin {
    ($plugin:ident) => {
        $crate::hooks::bindings::delivery_menu::export!($plugin with_types_in $crate::hooks::bindings::delivery_menu);
        $crate::__version!();
    };
}

/// Makes the crate a plugin that assesses tax, as the type's [`Tax`](crate::hooks::Tax) says.
#[macro_export]
macro_rules! tax_plugin {
    ($plugin:ident) => {
        $crate::hooks::bindings::tax::export!($plugin with_types_in $crate::hooks::bindings::tax);
        $crate::__version!();
    };
}

/// Makes the crate a plugin that changes the ways to pay that are offered, as the type's [`PaymentMenu`](crate::hooks::PaymentMenu) says.
#[macro_export]
macro_rules! payment_menu_plugin {
    ($plugin:ident) => {
        $crate::hooks::bindings::payment_menu::export!($plugin with_types_in $crate::hooks::bindings::payment_menu);
        $crate::__version!();
    };
}
