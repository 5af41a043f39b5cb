//! Every name that telemetry shows: spans, events, attributes and instruments.
//!
//! The names are in one place because they are an interface: dashboards, alerts and the golden span trees use them. A
//! thing has the same name here as in WIT, JSON and SQL.

/// Spans of the host, in the order a checkout makes them. The SERVER span is named "{method} {route}".
pub mod span {
    pub const CHECKOUT: &str = "checkout_transaction";
    /// The checkout plugin's call for a quote, of which nothing is written.
    pub const QUOTE: &str = "checkout_quote";
    /// Reads what is on hand, to answer a quote's deduct.
    pub const READ_STOCK: &str = "db_read_stock";
    pub const CREATE_ORDER: &str = "db_create_order";
    pub const INVENTORY: &str = "inventory_deduct_span";
    pub const TAKE_STOCK: &str = "db_take_stock";
    pub const COMPLETE_ORDER: &str = "db_complete_order";
    pub const FAIL_ORDER: &str = "db_fail_order";
    /// Instead of `db_fail_order` if a remote inventory has to confirm a release first.
    pub const AWAIT_RELEASE: &str = "db_await_release";
    /// Gives a canary's stock back, before the live version takes stock for the same order.
    pub const START_OVER: &str = "db_start_over";
    /// A candidate's call that repeats the live version's call; its child.
    pub const SHADOW: &str = "plugin_shadow";
    /// What a cart costs, as the hooks of track 0.2 and the host decide it.
    pub const PRICE: &str = "price_cart";
    pub const CART_TRANSFORM: &str = "cart_transform";
    pub const VALIDATION: &str = "validation";
    pub const DISCOUNTS: &str = "discounts";
    pub const DELIVERY_OPTIONS: &str = "delivery_options";
    pub const DELIVERY_DISCOUNTS: &str = "delivery_discounts";
    pub const DELIVERY_MENU: &str = "delivery_menu";
    pub const TAX: &str = "tax";
    pub const PAYMENT_MENU: &str = "payment_menu";
    /// A plugin's request to others.
    pub const PLUGIN_HTTP: &str = "http_call_by_plugin";
    /// The call of an inventory in another process; that process's spans are its children, not its siblings.
    pub const CALL_INVENTORY_SERVICE: &str = "http_call_inventory_service";
}

/// Events the host adds to a span of a plugin's call.
pub mod event {
    /// A canary was at fault; the live version runs the same order.
    pub const CANARY_FAULT: &str = "canary_fault";
    /// An offer of a plugin that doesn't count.
    pub const OFFER_DROPPED: &str = "offer_dropped";
    /// What a plugin would have said isn't part of a quote or a checkout, because it failed.
    pub const LEFT_OUT: &str = "left_out";
    /// A shadow's decision differs from the live version's.
    pub const SHADOW_DIFFERENCE: &str = "shadow_difference";
    /// A guest named a trace context that isn't its call's; the call's own span was used.
    pub const CONTEXT_REFUSED: &str = "context_refused";
}

/// Attribute keys of spans.
pub mod attribute {
    pub const ORDER_ITEM: &str = "order.item";
    pub const ORDER_QUANTITY: &str = "order.quantity";
    pub const ORDER_PRICE_PER_UNIT: &str = "order.price_per_unit";
    pub const ORDER_STATUS: &str = "order.status";
    pub const ORDER_REVENUE: &str = "order.revenue";
    pub const ORDER_REFERENCE: &str = "order.reference";
    /// The installation whose offer doesn't count, and why.
    pub const OFFER_BY: &str = "offer.by";
    pub const OFFER_REASON: &str = "offer.reason";
    /// A digest of what `facts` answered a plugin.
    pub const FACTS_DIGEST: &str = "facts.digest";
    /// Whether the order costs what its client agreed to: `matched` or `changed`. Absent if the client agreed to nothing.
    pub const ORDER_QUOTE: &str = "order.quote";
    pub const QUOTE_TOTAL: &str = "quote.total";
    pub const DB_ORDER_ID: &str = "db.order_id";
    pub const INVENTORY_ITEM: &str = "inventory.item";
    pub const INVENTORY_DEDUCTION_QUANTITY: &str = "inventory.deduction_quantity";
    /// Seconds the demo's inventory slept.
    pub const SIMULATION_LATENCY_ADDED: &str = "simulation.latency_added";

    pub const PLUGIN_KIND: &str = "plugin.kind";
    /// The name under which the plugin is installed at its hook; not of checkout and inventory.
    pub const PLUGIN_INSTALLATION: &str = "plugin.installation";
    pub const PLUGIN_NAME: &str = "plugin.name";
    pub const PLUGIN_VERSION: &str = "plugin.version";
    pub const PLUGIN_DIGEST: &str = "plugin.digest";
    /// The version's number in this host's store.
    pub const PLUGIN_NUMBER: &str = "plugin.number";
    /// The number of the first version of the same file; the two differ by their settings only. Absent on that first
    /// version.
    pub const PLUGIN_SAME_FILE_AS: &str = "plugin.same_file_as";
    /// The role of the called version: live, canary or shadow.
    pub const PLUGIN_ROLLOUT: &str = "plugin.rollout";
    pub const PLUGIN_OUTCOME: &str = "plugin.outcome";
    pub const PLUGIN_FUEL_USED: &str = "plugin.fuel_used";
    pub const PLUGIN_MEMORY_BYTES: &str = "plugin.memory_bytes";
    /// The guest's own processor time.
    pub const PLUGIN_GUEST_US: &str = "plugin.guest_us";
    /// How long the instance took to make; absent on a reused one.
    pub const PLUGIN_INSTANTIATE_US: &str = "plugin.instantiate_us";
    /// `fresh`, or `reused` for an instance that has answered before.
    pub const PLUGIN_INSTANCE: &str = "plugin.instance";
    pub const PLUGIN_HOST_CALLS: &str = "plugin.host_calls";
    /// True on a span that the guest started itself.
    pub const PLUGIN_SPAN: &str = "plugin.span";
    // What a call's limits dropped; absent if nothing was dropped.
    pub const DROPPED_SPANS: &str = "plugin.dropped_spans";
    pub const DROPPED_EVENTS: &str = "plugin.dropped_events";
    pub const DROPPED_ATTRIBUTES: &str = "plugin.dropped_attributes";
    pub const DROPPED_LOG_LINES: &str = "plugin.dropped_log_lines";
    pub const DROPPED_LOG_BYTES: &str = "plugin.dropped_log_bytes";

    /// How long the host waited for the client's body during this span; absent if that was next to nothing.
    pub const CLIENT_WAIT_MS: &str = "client.wait_ms";
    /// A guest left this span open; the host ended it.
    pub const ABANDONED: &str = "abandoned";
    /// The guest trapped while this span was open; the host ended it.
    pub const TRAPPED: &str = "trapped";

    // OpenTelemetry's semantic conventions (stable), as far as the host uses them.
    pub const ERROR_TYPE: &str = "error.type";
    pub const EXCEPTION_MESSAGE: &str = "exception.message";
    pub const HTTP_REQUEST_METHOD: &str = "http.request.method";
    pub const HTTP_REQUEST_METHOD_ORIGINAL: &str = "http.request.method_original";
    pub const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
    pub const HTTP_REQUEST_BODY_SIZE: &str = "http.request.body.size";
    pub const HTTP_RESPONSE_BODY_SIZE: &str = "http.response.body.size";
    /// Whether an earlier answer stood in for the request.
    pub const HTTP_CACHED: &str = "http.cached";
    pub const HTTP_ROUTE: &str = "http.route";
    pub const HTTP_REQUEST_RESEND_COUNT: &str = "http.request.resend_count";
    pub const URL_SCHEME: &str = "url.scheme";
    pub const URL_PATH: &str = "url.path";
    pub const URL_QUERY: &str = "url.query";
    pub const URL_FULL: &str = "url.full";
    pub const SERVER_ADDRESS: &str = "server.address";
    pub const SERVER_PORT: &str = "server.port";
    pub const CLIENT_ADDRESS: &str = "client.address";
    pub const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
    pub const NETWORK_PEER_PORT: &str = "network.peer.port";
    pub const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
    pub const USER_AGENT_ORIGINAL: &str = "user_agent.original";
}

/// Instruments, under their names in OpenTelemetry's API; the comment is the name in Prometheus.
pub mod metric {
    // Neither counter of orders has a unit: opentelemetry-prometheus 0.33 would write it into the name,
    // `order_checkouts_ratio_total` for a unit of 1.
    /// `order_checkouts_total`
    pub const CHECKOUTS: &str = "order_checkouts";
    /// `order_revenue_USD_total`, with the shop's currency code in place of `USD`.
    pub const REVENUE_PREFIX: &str = "order_revenue_";
    /// `order_checkout_errors_total`
    pub const CHECKOUT_ERRORS: &str = "order_checkout_errors";
    /// `order_quotes_total`
    pub const QUOTES: &str = "order_quotes";
    /// `http_server_request_duration_seconds`
    pub const HTTP_REQUEST_DURATION: &str = "http.server.request.duration";
    /// `http_server_answers_waiting_bytes`
    pub const ANSWERS_WAITING: &str = "http.server.answers.waiting";
    /// `http_server_connections_given_up_total`
    pub const CONNECTIONS_GIVEN_UP: &str = "http.server.connections.given_up";
    /// `admin_request_duration_seconds`
    pub const ADMIN_REQUEST_DURATION: &str = "admin.request.duration";
    /// `plugin_call_duration_seconds`
    pub const PLUGIN_CALL_DURATION: &str = "plugin.call.duration";
    /// `plugin_memory_bytes`
    pub const PLUGIN_MEMORY: &str = "plugin.memory";
    /// `plugin_fuel`, when fuel is counted.
    pub const PLUGIN_FUEL: &str = "plugin.fuel";
    /// `plugin_log_lines_dropped_total`
    pub const PLUGIN_LOG_LINES_DROPPED: &str = "plugin.log.lines.dropped";
    /// `plugin_info`
    pub const PLUGIN_INFO: &str = "plugin.info";
    /// `plugin_swaps_total`
    pub const PLUGIN_SWAPS: &str = "plugin.swaps";
    /// `plugin_shadow_differences_total`
    pub const SHADOW_DIFFERENCES: &str = "plugin.shadow.differences";
    /// `plugin_breaker_openings_total`
    pub const BREAKER_OPENINGS: &str = "plugin.breaker.openings";
    /// `plugin_breaker_open`
    pub const BREAKER_OPEN: &str = "plugin.breaker.open";
    /// `stock_on_hand`
    pub const STOCK_ON_HAND: &str = "stock.on_hand";
    /// `telemetry_spans_lost_total`
    pub const SPANS_LOST: &str = "telemetry.spans.lost";
    /// `telemetry_log_records_lost_total`
    pub const RECORDS_LOST: &str = "telemetry.log_records.lost";
    /// `log_lines_lost_total`
    pub const LOG_LINES_LOST: &str = "log.lines.lost";
    /// `telemetry_traces_sampled_total`
    pub const TRACES_SAMPLED: &str = "telemetry.traces.sampled";
    /// `telemetry_spans_held`
    pub const SPANS_HELD: &str = "telemetry.spans.held";
    /// `telemetry_traces_kept`
    pub const TRACES_KEPT: &str = "telemetry.traces.kept";
    /// `telemetry_traces_memory_bytes`
    pub const TRACES_MEMORY: &str = "telemetry.traces.memory";
    /// `telemetry_traces_evicted_total`
    pub const TRACES_EVICTED: &str = "telemetry.traces.evicted";
}

/// Labels of metrics that aren't span attributes as well. Their values are always bounded.
pub mod label {
    pub const ITEM: &str = "item";
    pub const REASON: &str = "reason";
    pub const KIND: &str = "kind";
    pub const ROLLOUT: &str = "rollout";
    pub const OUTCOME: &str = "outcome";
    pub const PLUGIN: &str = "plugin";
    pub const VERSION: &str = "version";
    pub const DIGEST: &str = "digest";
    pub const RESULT: &str = "result";
    pub const PART: &str = "part";
    pub const DECISION: &str = "decision";
}

/// What the semantic conventions want instead of an unknown method.
pub const OTHER_METHOD: &str = "_OTHER";

/// Returns the HTTP method if it is one of the ten known ones, else [`OTHER_METHOD`]. Case matters, as it does in HTTP.
#[must_use]
pub fn http_method(method: &str) -> &'static str {
    const KNOWN: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or(OTHER_METHOD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_a_bounded_set() {
        for (method, named) in
            [("GET", "GET"), ("PATCH", "PATCH"), ("get", "_OTHER"), ("BREW", "_OTHER"), ("", "_OTHER")]
        {
            assert_eq!(http_method(method), named, "{method}");
        }
    }
}
