//! A span that ends when it goes out of scope.

use crate::bindings::{
    Attribute, AttributeValue, Level, TraceContext, add_event, annotate, end_span, fail_span, log, start_span,
};

/// Defines the span of a track. Tracks have types of their own for the same telemetry: the names that the definition uses are
/// those of the module that asks for it.
macro_rules! span {
    () => {
        /// A span of this call's trace. The one that a call is given is the host's and stays open after it; a
        /// [`child`](Self::child) ends when it is dropped.
        ///
        /// ```no_run
        /// # fn price(call: &till_sdk::Span) {
        /// let pricing = call.child("price_cart");
        /// pricing.set("coupon", "WELCOME10");
        /// # }
        /// ```
        #[derive(Debug)]
        pub struct Span {
            context: TraceContext,
            ends_on_drop: bool,
        }

        impl Span {
            pub(crate) fn of_call(context: TraceContext) -> Self {
                Self { context, ends_on_drop: false }
            }

            /// Starts a span below this one.
            #[must_use = "a span that is not kept ends at once"]
            pub fn child(&self, name: &str) -> Self {
                Self { context: start_span(&self.context, name), ends_on_drop: true }
            }

            /// Returns the W3C trace context, for calls that take one.
            #[must_use]
            pub fn context(&self) -> &TraceContext {
                &self.context
            }

            /// Sets one attribute.
            pub fn set(&self, key: &str, value: impl Into<AttributeValue>) {
                self.annotate(&[(key, value.into())]);
            }

            /// Sets several attributes in one call to the host.
            pub fn annotate(&self, attributes: &[(&str, AttributeValue)]) {
                annotate(&self.context, &owned(attributes));
            }

            /// Records that something happened now.
            pub fn event(&self, name: &str, attributes: &[(&str, AttributeValue)]) {
                add_event(&self.context, name, &owned(attributes));
            }

            /// Marks the span as failed. For what went wrong, not for a business "no".
            pub fn fail(&self, message: &str) {
                fail_span(&self.context, message);
            }

            /// Writes a log line that carries this span's ids.
            pub fn log(&self, level: Level, message: &str, attributes: &[(&str, AttributeValue)]) {
                log(&self.context, level, message, &owned(attributes));
            }
        }

        impl Drop for Span {
            fn drop(&mut self) {
                if self.ends_on_drop {
                    end_span(&self.context);
                }
            }
        }

        fn owned(attributes: &[(&str, AttributeValue)]) -> Vec<Attribute> {
            let of = |(key, value): &(&str, AttributeValue)| Attribute { key: (*key).to_owned(), value: value.clone() };
            attributes.iter().map(of).collect()
        }
    };
}
#[cfg(feature = "hooks")]
pub(crate) use span;

span!();
