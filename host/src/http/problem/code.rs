//! Every code of a problem document: its status, what has happened, and what to do about it.
//!
//! The table generates the type, so a code without its sentences doesn't compile. docs/operate/problems.md is generated
//! from it, too.

use hyper::StatusCode;

macro_rules! codes {
    ($($Code:ident = $name:literal, $status:ident, $meaning:literal, $advice:literal;)*) => {
        /// Why a request was refused or failed, for programs. A closed set.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $meaning] $Code,)*
        }

        impl Code {
            /// All codes, by status.
            pub const ALL: &[Self] = &[$(Self::$Code,)*];

            /// Returns the code's text.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$Code => $name,)* }
            }

            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$Code => StatusCode::$status,)* }
            }

            /// Returns what happened, in sentences.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$Code => $meaning,)* }
            }

            /// Returns what a client or an operator should do, in sentences.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$Code => $advice,)* }
            }
        }
    };
}

codes! {
    Malformed = "malformed", BAD_REQUEST,
        "The request can't be read: the body is no JSON or was cut off, a key or a header stands twice, or the `Idempotency-Key` is not 1 to 255 visible ASCII characters. Nothing was done.",
        "Mend the client; `detail` says where it went wrong.";
    InsufficientStock = "insufficient_stock", BAD_REQUEST,
        "Not all lines are on hand, so nothing was taken. `shortage` names the item and how many there are; an item that the shop doesn't sell has 0.",
        "Offer fewer pieces. The operator adds stock with `till stock set ITEM QUANTITY`.";
    Unauthorized = "unauthorized", UNAUTHORIZED,
        "The route wants a bearer token, and the request has none or another one.",
        "Send `authorization: Bearer TOKEN` with the content of `server.inventory_token_file` for `/inventory/*`, of `server.admin_token_file` or a token of `server.admin_tokens_file` for the admin listener. Commands take `--token-file`.";
    TokenExpired = "token_expired", UNAUTHORIZED,
        "The token has expired. `detail` has its name.",
        "Make a new one: `till token revoke NAME --file FILE`, then `till token new --name NAME --scope SCOPE --file FILE`.";
    Forbidden = "forbidden", FORBIDDEN,
        "The host was asked for by a name that isn't its own, a browser's page of another site wants to change something, or `/inventory/*` is served off loopback without a token.",
        "`detail` says which. List the name in `server.hosts`, the site in `server.origins`, or set `server.inventory_token_file`.";
    OutOfScope = "out_of_scope", FORBIDDEN,
        "The token is known, and its scope doesn't allow this. Nothing was done.",
        "`detail` says which scope is needed. Use a token that has it, or make one: `till token new --name NAME --scope SCOPE --file FILE`.";
    SecondPerson = "second_person", FORBIDDEN,
        "It takes two persons (`plugins.approval`), and this would have been one's decision alone. Nothing was changed.",
        "`detail` says who has to do it. Whoever else has a token of the scope `deploy` promotes with `till plugin rollout promote`, or approves with `till plugin approve`.";
    NotFound = "not_found", NOT_FOUND,
        "There is no such route, order, item, trace or version.",
        "Compare the path with `GET /` of the same listener: orders by number, plugins and traces are on the admin listener.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED,
        "The path takes other methods.",
        "Use one of those in `Allow`.";
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT,
        "The body wasn't there in time (`limits.body_ms`; for a plugin's file `limits.upload_ms`). Nothing was done.",
        "Send it again. Raise the limit where clients have slow networks.";
    IdempotencyKeyInFlight = "idempotency_key_in_flight", CONFLICT,
        "The first request with this `Idempotency-Key` is still under way.",
        "Wait as `Retry-After` says, then send the same request again.";
    ReferenceUsed = "reference_used", CONFLICT,
        "The order was ended by something else, or stock was taken under this reference before, or the reference was released first. This request took nothing.",
        "Draw a new reference for a new deduct. A till that asked for the release of another's own order stops asking.";
    NoSuchVersion = "no_such_version", CONFLICT,
        "There is no version to go back to, or none of this kind with that number.",
        "`till plugin list` shows the versions that there are.";
    NotInstalled = "not_installed", NOT_FOUND,
        "Nothing is installed at that hook under that name.",
        "`till plugin status` lists what is installed. `till plugin install FILE --as NAME` installs a plugin.";
    NotInstallable = "not_installable", CONFLICT,
        "The name is taken at that hook, or the hook has as many plugins as it may have.",
        "Choose another name, deploy a new version of the one that is there, or take one off: `till plugin uninstall`.";
    NoRollout = "no_rollout", CONFLICT,
        "No version is being tried.",
        "Begin one with `till plugin deploy FILE --canary 10%` or `--shadow`.";
    RolloutState = "rollout_state", CONFLICT,
        "The rollout is already paused, or already running.",
        "`till plugin rollout show` says how it stands.";
    RolloutOpen = "rollout_open", CONFLICT,
        "Another version is being tried, and one is tried at a time.",
        "Promote or abort that one first: `till plugin rollout promote`, `till plugin rollout abort`.";
    NotWaiting = "not_waiting", CONFLICT,
        "Somebody has approved or rejected this change before.",
        "`till plugin approvals` says who, and when.";
    CartRefused = "cart_refused", UNPROCESSABLE_ENTITY,
        "Plugins at the hook `validation` say what is wrong with the cart. Nothing was sold.",
        "Show the customer the messages in `errors`; `field` says which part of the request each is about.";
    NotDelivered = "not_delivered", UNPROCESSABLE_ENTITY,
        "The request asks for a delivery that isn't offered, or none is offered for what is bought. Nothing was sold.",
        "Ask for a quote and let the customer choose among its `delivery`.";
    NotPayable = "not_payable", UNPROCESSABLE_ENTITY,
        "The request asks for a way to pay that isn't offered. Nothing was sold.",
        "Ask for a quote and let the customer choose among its `payment_methods`.";
    CatalogueChanged = "catalogue_changed", CONFLICT,
        "Another import has replaced the catalogue meanwhile. Nothing was changed.",
        "Look at what the other import brought with `till catalogue list`, then import again.";
    QuoteChanged = "quote_changed", CONFLICT,
        "The order costs something else than the client agreed to by `expected_total` or `quote`: a price, a stock or a plugin has changed. Nothing was sold, and what was taken is back.",
        "Show the customer `quote`, which has what it costs now, and send the cart again under a new `Idempotency-Key` with the new token or total.";
    TooLarge = "too_large", PAYLOAD_TOO_LARGE,
        "The body is larger than `limits.request_body_bytes`, or a plugin's file than `limits.component_mib`.",
        "Send less: 100 long lines take 20 KiB. Raise the limit for a plugin that has to be larger.";
    UriTooLong = "uri_too_long", URI_TOO_LONG,
        "Path and query are longer than `limits.uri_bytes`.",
        "Shorten them.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        "The body has another type than the route takes, or is compressed.",
        "Send `content-type: application/json` in UTF-8, or `application/wasm` for a plugin's file, without `content-encoding`.";
    ExpectationFailed = "expectation_failed", EXPECTATION_FAILED,
        "The request has an `Expect` header other than `100-continue`.",
        "Leave it out.";
    Unacceptable = "unacceptable", UNPROCESSABLE_ENTITY,
        "The request can be read, but a value in it makes no sense here: a quantity below 1, more decimals than the currency has, another price than the catalogue's, an unknown field.",
        "`detail` says which value and why. Mind that lengths count bytes.";
    Rejected = "rejected", UNPROCESSABLE_ENTITY,
        "A plugin says no. `rejection` has its own code for the reason. This is a decision, not an error.",
        "Tell the customer. `till plugin status` counts rejections of each version, if there are too many.";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY,
        "The `Idempotency-Key` came with another cart before.",
        "Send that cart again for its answer, or draw a new key for a new purchase.";
    QuoteUnusable = "quote_unusable", UNPROCESSABLE_ENTITY,
        "The `quote` of a checkout isn't taken: it has expired, is of other lines or attributes, or was signed with another key. Nothing was done.",
        "Ask `POST /quote` for a new one. Several hosts, and one whose quotes should outlive a restart, need `quote.key_file`, the same for all.";
    PluginRefused = "plugin_refused", UNPROCESSABLE_ENTITY,
        "The file isn't a plugin that may run here, or it broke in the trial. What was live stays live.",
        "`detail` says what to change; `till plugin check FILE` says the same without a host. `--force` takes a version whose only fault is that it makes no decision in the trial.";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The headers are larger than `limits.header_bytes`, or more than `limits.headers`.",
        "Send fewer: most often these are cookies of another application.";
    InventoryConflict = "inventory_conflict", INTERNAL_SERVER_ERROR,
        "The inventory plugin met a conflict, such as a deadlock. Nothing stays taken.",
        "Try again. In the demo's shop this is one of the two faults; `till plugin set inventory faults=off` turns them off.";
    PluginFile = "plugin_file", INTERNAL_SERVER_ERROR,
        "A plugin's file couldn't be written to the data folder, or couldn't be read there.",
        "`detail` and the log say why: most often the disk is full.";
    Internal = "internal", INTERNAL_SERVER_ERROR,
        "Till failed in a way that should not happen.",
        "The log has the error beside the answer's `trace_id`. Please report it.";
    NotImplemented = "not_implemented", NOT_IMPLEMENTED,
        "The method is CONNECT or longer than any that there is.",
        "This is a shop, not a proxy: take the client's proxy setting away.";
    Trap = "trap", BAD_GATEWAY,
        "A plugin trapped: it panicked, ran out of stack, or did what the sandbox forbids. Nothing was sold.",
        "The log has the plugin's message. Go back with `till plugin rollback KIND`, then repeat the call with `till plugin run`.";
    Memory = "memory", BAD_GATEWAY,
        "A plugin wanted more than `limits.guest_memory_mib`. Nothing was sold.",
        "Go back with `till plugin rollback KIND`, or raise the limit if the plugin needs it.";
    HostCalls = "host_calls", BAD_GATEWAY,
        "A plugin called the host more often than `limits.host_calls`. Nothing was sold.",
        "Go back with `till plugin rollback KIND`: a plugin that calls so often has a loop.";
    BadOutput = "bad_output", BAD_GATEWAY,
        "A plugin's answer can't be: a total that doesn't add up, more taken off or added than the shop's caps allow, stock that wasn't taken, a text that is too long. Nothing was sold.",
        "`detail` says what is wrong with the answer, and names the setting of a cap. Look whether an amount among the plugin's settings has slipped (`till plugin show NUMBER`), or go back with `till plugin rollback KIND`.";
    Unavailable = "unavailable", BAD_GATEWAY,
        "A plugin says that something it needs isn't there.",
        "Try again later. The plugin's log lines say what is missing.";
    Other = "other", BAD_GATEWAY,
        "A plugin could make no decision, for a reason that the interface has no word for.",
        "`detail` is the plugin's message: most often one of its settings is missing or can't be read. `till plugin show NUMBER` lists them.";
    InventoryUnreachable = "inventory_unreachable", BAD_GATEWAY,
        "The till at `server.inventory_url` gave no answer, so what it did is unknown. The order waits until its release is confirmed.",
        "Try again. The operator looks whether that till runs, and asks its `/readyz`.";
    InventoryRefused = "inventory_refused", BAD_GATEWAY,
        "The till at `server.inventory_url` refused the request itself. The order waits until its release is confirmed.",
        "Compare what both tills are set to: the token file, `server.hosts`, the release.";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE,
        "There is no room: too many requests, connections, bodies or plugin memory at once. Nothing was sold.",
        "Wait as `Retry-After` says and send it again. If it lasts, the dashboard of the host shows what is full. More cores help; more replicas don't.";
    BreakerOpen = "breaker_open", SERVICE_UNAVAILABLE,
        "A plugin keeps breaking and isn't called for `breaker.open_ms`. Nothing was sold.",
        "Wait as `Retry-After` says and send it again. The operator goes back with `till plugin rollback KIND`.";
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE,
        "The order store can't be written, is too far behind, or its files were moved away. Nothing was sold, unless `detail` says that the order may stand: the disk failed while the store committed. The same request under its `Idempotency-Key` buys nothing twice.",
        "Wait as `Retry-After` says and send it again. The log says why: a full disk, a folder that is gone. It goes on by itself once that is mended.";
    Stopping = "stopping", SERVICE_UNAVAILABLE,
        "The host is shutting down. Only `/readyz` answers this.",
        "Send no orders here; the balancer takes the host out.";
    Deadline = "deadline", GATEWAY_TIMEOUT,
        "A plugin used up its CPU or wall time, and nothing was sold; or the request ran out of its own, and the order goes on without it.",
        "If `detail` names the order's address, ask there how it ended, or send the same `Idempotency-Key` again. The trace shows which call took the time.";
}
