//! Instantiating a candidate once, off to the side: only then is it known that its functions have the world's types
//! and that its start functions end.

use std::{sync::Arc, time::Duration};

use opentelemetry::trace::SpanKind;

use super::{Admitted, Engine, Reason};
use crate::{
    config::Limits,
    imports::{CallState, telemetry::CallSpans},
    plugin::{Failure, MemoryPool, call::guarded_store},
    telemetry::traces::Tracer,
};

/// # Errors
/// What keeps it from being instantiated, or how its types differ.
pub(super) async fn instantiate(engine: &Engine, admitted: &Admitted, limits: &Limits) -> Result<(), Reason> {
    let tracer = Tracer::off();
    let span = tracer.start("probe", SpanKind::Internal, None, Vec::new());
    let telemetry = CallSpans::new(tracer, span, "probe".into(), limits);
    // No door to the inventory or the stock: a start function that knocks is refused.
    let imports = CallState::new(telemetry, Arc::default(), limits);
    let mut store = guarded_store(engine, imports, &MemoryPool::new(limits), limits);
    let kind = admitted.identity().kind;
    let instantiating = async {
        match admitted {
            Admitted::Checkout(_, pre) => pre.instance_pre().instantiate_async(&mut store).await?,
            Admitted::Inventory(_, pre) => pre.instance_pre().instantiate_async(&mut store).await?,
        };
        Ok(())
    };
    let instantiated = tokio::time::timeout(Duration::from_millis(limits.inventory_call_ms), instantiating).await;
    let instantiated: wasmtime::Result<()> =
        instantiated.unwrap_or_else(|_| Err(wasmtime::Error::msg("it never ends")));
    if let Err(error) = instantiated {
        let failure = Failure::of_guest(kind, &error, limits.guest_cpu_ms);
        return Err(Reason::Instantiate(failure.to_string()));
    }
    let typed = match admitted {
        Admitted::Checkout(_, pre) => pre.instantiate_async(&mut store).await.map(|_| ()),
        Admitted::Inventory(_, pre) => pre.instantiate_async(&mut store).await.map(|_| ()),
    };
    typed.map_err(|error| Reason::Types { kind, detail: format!("{error:#}") })
}
