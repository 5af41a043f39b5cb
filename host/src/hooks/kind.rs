//! The kinds of hooks, by name, and where plugins are installed. This module uses no other, so that the store, failures and settings can
//! name them.

mod installation;

pub use installation::{Installation, InstallationName};

/// Declares the kinds: `Kind` and [`PerKind`], which has a value for each.
macro_rules! kinds {
    ($($kind:ident $field:ident $name:literal),+ $(,)?) => {
        /// The hook that a plugin implements.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($kind),+
        }

        impl Kind {
            /// All kinds, in the order in which they are listed everywhere: the required ones, then in the order in which a quote asks
            /// them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$kind),+];

            /// Returns the kind's name in commands, metrics, span attributes, headers and rows: that of its interface.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name),+
                }
            }
        }

        /// A value for each kind.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct PerKind<T> {
            $($field: T),+
        }

        impl<T> PerKind<T> {
            /// Makes a value for each kind, in the order of [`Kind::ALL`].
            ///
            /// # Errors
            /// The first error of `make`.
            pub fn try_from_fn<E>(mut make: impl FnMut(Kind) -> Result<T, E>) -> Result<Self, E> {
                Ok(Self { $($field: make(Kind::$kind)?),+ })
            }

            /// Returns the kind's value.
            #[must_use]
            pub const fn of(&self, kind: Kind) -> &T {
                match kind {
                    $(Kind::$kind => &self.$field),+
                }
            }

            /// Returns the kind's value, for changing it.
            pub const fn of_mut(&mut self, kind: Kind) -> &mut T {
                match kind {
                    $(Kind::$kind => &mut self.$field),+
                }
            }
        }
    };
}

kinds! {
    Checkout checkout "checkout",
    Inventory inventory "inventory",
    CartTransform cart_transform "cart-transform",
    Validation validation "validation",
    Discounts discounts "discounts",
    DeliveryOptions delivery_options "delivery-options",
    DeliveryDiscounts delivery_discounts "delivery-discounts",
    DeliveryMenu delivery_menu "delivery-menu",
    Tax tax "tax",
    PaymentMenu payment_menu "payment-menu",
}

impl Kind {
    /// The kinds of which a shop has exactly one plugin each.
    pub const REQUIRED: [Self; 2] = [Self::Checkout, Self::Inventory];

    /// Returns whether a shop has exactly one plugin of the kind.
    #[must_use]
    pub fn is_required(self) -> bool {
        Self::REQUIRED.contains(&self)
    }

    /// Returns the kind of that name, `None` if there is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Returns the names of all kinds, with `between` in between.
    #[must_use]
    pub fn names(between: &str) -> String {
        Self::ALL.map(Self::as_str).join(between)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

impl<T> PerKind<T> {
    /// Returns the values, in the order of [`Kind::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        Kind::ALL.into_iter().map(|kind| self.of(kind))
    }
}
