//! A span of track 0.2: the same as track 0.1's, of the other types.

use super::bindings::{
    Attribute, AttributeValue, Level, TraceContext, add_event, annotate, end_span, fail_span, log, start_span,
};

crate::span::span!();
