//! A span that ends when it goes out of scope.

use crate::bindings::{self, Attribute, AttributeValue, Level, TraceContext};

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
        Self { context: bindings::start_span(&self.context, name), ends_on_drop: true }
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
        bindings::annotate(&self.context, &owned(attributes));
    }

    /// Records that something happened now.
    pub fn event(&self, name: &str, attributes: &[(&str, AttributeValue)]) {
        bindings::add_event(&self.context, name, &owned(attributes));
    }

    /// Marks the span as failed. For what went wrong, not for a business "no".
    pub fn fail(&self, message: &str) {
        bindings::fail_span(&self.context, message);
    }

    /// Writes a log line that carries this span's ids.
    pub fn log(&self, level: Level, message: &str, attributes: &[(&str, AttributeValue)]) {
        bindings::log(&self.context, level, message, &owned(attributes));
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if self.ends_on_drop {
            bindings::end_span(&self.context);
        }
    }
}

fn owned(attributes: &[(&str, AttributeValue)]) -> Vec<Attribute> {
    let of = |(key, value): &(&str, AttributeValue)| Attribute { key: (*key).to_owned(), value: value.clone() };
    attributes.iter().map(of).collect()
}
