//! `till:plugin/telemetry`: a guest's spans, attributes, events and logs, only within its own call's trace.
//!
//! Spans are addressed by value: a guest gets a trace context and passes it back. The host compares it, by trace and
//! span id, with the contexts that this call gave out; any other context is refused, and the call's own span is used
//! instead. So no guest writes into another trace. The host sets ids, times and parents.

mod guest_log;
mod spans;

pub use guest_log::{GuestLog, Prints};
pub(super) use spans::context_to_guest;
pub use spans::{CallSpans, End};

use super::{
    HostCall,
    bindings::{
        telemetry::{self, Level},
        types::{Attribute, TraceContext},
    },
    convert::attribute_bytes,
};

impl telemetry::Host for HostCall<'_> {
    fn start_span(&mut self, parent: TraceContext, name: String) -> wasmtime::Result<TraceContext> {
        self.budget.host_call(context_bytes(&parent) + name.len())?;
        Ok(self.telemetry.start(&parent, name))
    }

    fn annotate(&mut self, span: TraceContext, attributes: Vec<Attribute>) -> wasmtime::Result<()> {
        self.budget.host_call(context_bytes(&span) + attribute_bytes(&attributes))?;
        self.telemetry.annotate(&span, attributes);
        Ok(())
    }

    fn add_event(&mut self, span: TraceContext, name: String, attributes: Vec<Attribute>) -> wasmtime::Result<()> {
        self.budget.host_call(context_bytes(&span) + name.len() + attribute_bytes(&attributes))?;
        self.telemetry.event(&span, name, attributes);
        Ok(())
    }

    fn fail_span(&mut self, span: TraceContext, message: String) -> wasmtime::Result<()> {
        self.budget.host_call(context_bytes(&span) + message.len())?;
        self.telemetry.fail(&span, message);
        Ok(())
    }

    fn end_span(&mut self, span: TraceContext) -> wasmtime::Result<()> {
        self.budget.host_call(context_bytes(&span))?;
        self.telemetry.end(&span);
        Ok(())
    }

    fn log(
        &mut self,
        ctx: TraceContext,
        level: Level,
        message: String,
        attributes: Vec<Attribute>,
    ) -> wasmtime::Result<()> {
        let bytes = message.len() + attribute_bytes(&attributes);
        self.budget.host_call(context_bytes(&ctx) + bytes)?;
        self.telemetry.log(&ctx, level, message, attributes);
        Ok(())
    }
}

fn context_bytes(context: &TraceContext) -> usize {
    context.traceparent.len() + context.tracestate.len()
}
