//! `till:plugin/telemetry` of track 0.2: as in track 0.1, of whose types its own are made.

use crate::imports::{
    HostCall,
    bindings::{
        telemetry as older, types as older_types,
        v0_2::till::plugin::{
            telemetry::{self, Level},
            types::{Attribute, AttributeValue, TraceContext},
        },
    },
};

impl telemetry::Host for HostCall<'_> {
    fn start_span(&mut self, parent: TraceContext, name: String) -> wasmtime::Result<TraceContext> {
        let older_types::TraceContext { traceparent, tracestate } =
            older::Host::start_span(self, context(parent), name)?;
        Ok(TraceContext { traceparent, tracestate })
    }

    fn annotate(&mut self, span: TraceContext, attributes: Vec<Attribute>) -> wasmtime::Result<()> {
        older::Host::annotate(self, context(span), all(attributes))
    }

    fn add_event(&mut self, span: TraceContext, name: String, attributes: Vec<Attribute>) -> wasmtime::Result<()> {
        older::Host::add_event(self, context(span), name, all(attributes))
    }

    fn fail_span(&mut self, span: TraceContext, message: String) -> wasmtime::Result<()> {
        older::Host::fail_span(self, context(span), message)
    }

    fn end_span(&mut self, span: TraceContext) -> wasmtime::Result<()> {
        older::Host::end_span(self, context(span))
    }

    fn log(
        &mut self,
        ctx: TraceContext,
        level: Level,
        message: String,
        attributes: Vec<Attribute>,
    ) -> wasmtime::Result<()> {
        let level = match level {
            Level::Debug => older::Level::Debug,
            Level::Info => older::Level::Info,
            Level::Warn => older::Level::Warn,
            Level::Error => older::Level::Error,
        };
        older::Host::log(self, context(ctx), level, message, all(attributes))
    }
}

pub(super) fn context(TraceContext { traceparent, tracestate }: TraceContext) -> older_types::TraceContext {
    older_types::TraceContext { traceparent, tracestate }
}

fn all(attributes: Vec<Attribute>) -> Vec<older_types::Attribute> {
    attributes.into_iter().map(attribute).collect()
}

/// JSON is kept as text: no telemetry has another type for it.
fn attribute(Attribute { key, value }: Attribute) -> older_types::Attribute {
    let value = match value {
        AttributeValue::Text(text) | AttributeValue::Json(text) => older_types::AttributeValue::Text(text),
        AttributeValue::Integer(number) => older_types::AttributeValue::Integer(number),
        AttributeValue::Decimal(number) => older_types::AttributeValue::Decimal(number),
        AttributeValue::Flag(flag) => older_types::AttributeValue::Flag(flag),
    };
    older_types::Attribute { key, value }
}
