//! Asks the plugins of a hook: one, or all of them at the same time.

use std::sync::Arc;

use futures_util::future::join_all;
use opentelemetry::trace::{SpanContext, SpanKind};

use crate::{
    facts::Facts,
    failure::Failure,
    hooks::{self, Access, Decided, Decision, Installation, Kind, Question},
    imports::{Moment, v0_2::http},
    runtime::Time,
    shop::Shop,
    versions::{Plugin, Snapshot},
};

/// What every call of a request has in common.
pub(super) struct Ask<'a> {
    pub(super) shop: &'a Arc<Shop>,
    pub(super) snapshot: &'a Arc<Snapshot>,
    pub(super) facts: &'a Facts,
    pub(super) moment: Moment,
    /// The span above those of the calls.
    pub(super) parent: SpanContext,
}

/// What a plugin of a hook decided.
type Answer<D> = Decided<<D as Decision>::Answer, <D as Decision>::Outcome>;

impl Ask<'_> {
    /// Asks one plugin.
    ///
    /// # Errors
    /// The plugin's.
    pub(super) async fn one<D: Decision>(
        &self,
        plugin: &Plugin,
        question: &Question<D::Rest>,
    ) -> Result<Answer<D>, Failure> {
        let info = hooks::info(D::KIND);
        let span = self.shop.tracer.start(info.span, SpanKind::Internal, Some(&self.parent), Vec::new());
        let http = match info.doors.contains(&hooks::HTTP) {
            true => http::Door::new(Arc::clone(&self.shop.outbound), Arc::clone(plugin.grants())),
            false => http::Door::repeating(Vec::new()),
        };
        let access = Access { facts: self.facts.of_call(), http };
        let called = plugin.call::<D>(&self.shop.plugins, span, question, access, self.moment, Time::Whole);
        let (mut span, decided) = called.await;
        if let Err(failure) = &decided {
            failure.mark(&mut span);
        }
        span.end();
        decided
    }

    /// Asks all plugins of a hook about the same, at the same time. Returns their answers in the operator's order.
    pub(super) async fn all<D: Decision>(
        &self,
        kind: Kind,
        question: &Question<D::Rest>,
    ) -> Vec<(Installation, Result<Answer<D>, Failure>)> {
        let asked = self.snapshot.of(kind).map(async |plugin: &Plugin| {
            let answered = self.one::<D>(plugin, question).await;
            (plugin.identity().at, answered)
        });
        join_all(asked).await
    }
}
