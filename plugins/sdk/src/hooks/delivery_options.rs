//! Ways of delivery, with what they cost.

pub use super::bindings::delivery_options::exports::till::plugin::delivery_options::Question;
use super::{DeliveryKind, DeliveryOption, Line, MinorUnits};

impl Question {
    /// Returns the lines that are delivered together.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.cart.lines.iter().filter(|line| self.group.lines.contains(&line.id))
    }
}

impl DeliveryKind {
    /// Returns the kind's name in the interface, such as `pickup-point`, for settings that name kinds.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shipping => "shipping",
            Self::LocalDelivery => "local-delivery",
            Self::Pickup => "pickup",
            Self::PickupPoint => "pickup-point",
            Self::Digital => "digital",
        }
    }
}

impl DeliveryOption {
    /// Returns an option that has nothing but a name and a cost.
    #[must_use]
    pub fn new(handle: &str, title: &str, kind: DeliveryKind, cost: MinorUnits) -> Self {
        Self {
            handle: handle.to_owned(),
            title: title.to_owned(),
            description: None,
            kind,
            cost,
            days: None,
            location: None,
            attributes: Vec::new(),
        }
    }
}
