//! The schemas of single values in `openapi.json`, with the limits of `order`, for body types that hold the values as
//! texts and numbers.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    hooks,
    http::problem::Code,
    order,
    order::{
        ITEM_BYTES_MAX, ORDER_ATTRIBUTE_KEY_BYTES_MAX, ORDER_ATTRIBUTE_TEXT_BYTES_MAX, ORDER_ATTRIBUTES_MAX,
        QUANTITY_MAX,
    },
};

/// The largest whole number that every client can hold exactly.
pub(crate) const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

const EFFECTS: [order::Effect; 3] = [order::Effect::Subtract, order::Effect::Add, order::Effect::Included];
const NO_CONTROL: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
const NO_CONTROL_BUT_LINES: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";
const VISIBLE_ASCII: &str = "^[!-~]+$";
const VISIBLE: &str = concat!(
    r"^[^\s\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]",
    r"([^\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]*",
    r"[^\s\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff])?$",
);

/// Makes a type for each value. Its schema is named in the document, or inlined where it is used.
macro_rules! values {
    ($is_inline:literal: $($name:ident = $schema:tt)*) => {
        $(
            pub(crate) enum $name {}

            impl JsonSchema for $name {
                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!($schema)
                }

                fn inline_schema() -> bool {
                    $is_inline
                }
            }
        )*
    };
}

values! { false:
    Item = {
        "description": format!(
            "An item's name: 1 to {ITEM_BYTES_MAX} bytes of UTF-8 (the schema counts characters) in Unicode's composed form \
             (NFC), to which others are brought, all visible: no control, line separator or mark of direction, and no white \
             space around it."
        ),
        "type": "string",
        "minLength": 1,
        "maxLength": ITEM_BYTES_MAX,
        "pattern": VISIBLE,
        "examples": ["headphones"],
    }
    Quantity = {
        "description": "Pieces. `1.0` is 1.",
        "type": "integer",
        "minimum": 1,
        "maximum": QUANTITY_MAX,
        "examples": [1],
    }
    Price = {
        "description": "The price of one piece, a plain decimal number. It is read exactly, never through a float. It has at \
                        most the decimals of the shop's currency (USD 2, JPY 0, KWD 3; trailing zeros don't count) and is \
                        below 2^53 minor units: at most 90071992547409.91 in USD. The schema holds for every currency; what \
                        is finer or larger gets 422.",
        "type": "number",
        "minimum": 0,
        "maximum": SAFE_INTEGER_MAX,
        "examples": [99.99],
    }
    Amount = {
        "description": "Money in the shop's currency, with all of its decimals, exact. Read it as a decimal, not as a float.",
        "type": "number",
        "minimum": 0,
        "maximum": SAFE_INTEGER_MAX,
        "examples": [99.99],
    }
    Reference = {
        "description": "An order's unguessable name: a UUIDv7 where this host made it, otherwise what another till sent as its \
                        key.",
        "type": "string",
        "minLength": 1,
        "maxLength": order::Reference::BYTES_MAX,
        "pattern": VISIBLE_ASCII,
    }
    IdempotencyKey = {
        "description": format!("1 to {} visible ASCII characters.", order::Reference::BYTES_MAX),
        "type": "string",
        "minLength": 1,
        "maxLength": order::Reference::BYTES_MAX,
        "pattern": VISIBLE_ASCII,
    }
    QuoteToken = {
        "description": "The token of a quote, good for one cart, one total and a while. Its parts mean nothing to a client.",
        "type": "string",
        "minLength": 1,
        "maxLength": order::QUOTE_TOKEN_BYTES_MAX,
        "pattern": VISIBLE_ASCII,
    }
    ProblemCode = {
        "description": "What went wrong, for programs. A closed set; each route's answers say what a code means there.",
        "enum": Code::ALL.iter().map(|code| code.name()).collect::<Vec<_>>(),
    }
    // Written by hand in shared.json.
    GatesChange = {}
    SettingsSet = {}
    Attributes = {
        "description": format!(
            "Plain values that travel to the plugins unread: a coupon, a customer group. At most {ORDER_ATTRIBUTES_MAX}. A key \
             has 1 to {ORDER_ATTRIBUTE_KEY_BYTES_MAX} bytes and no control characters, a text at most \
             {ORDER_ATTRIBUTE_TEXT_BYTES_MAX} bytes (the schema counts characters) and no control characters but line breaks \
             and tabs. A whole number that fits 32 bits arrives as an integer, any other number as a 64-bit float. A number \
             that neither holds exactly is refused with 422: send it as a text. A float holds exactly what its shortest form \
             says."
        ),
        "type": "object",
        "maxProperties": ORDER_ATTRIBUTES_MAX,
        "propertyNames": {
            "type": "string",
            "minLength": 1,
            "maxLength": ORDER_ATTRIBUTE_KEY_BYTES_MAX,
            "pattern": NO_CONTROL,
        },
        "additionalProperties": {
            "oneOf": [
                { "type": "string", "maxLength": ORDER_ATTRIBUTE_TEXT_BYTES_MAX, "pattern": NO_CONTROL_BUT_LINES },
                { "type": "number", "minimum": f64::MIN, "maximum": f64::MAX },
                { "type": "boolean" },
            ],
        },
        "examples": [{ "coupon": "WELCOME10" }],
    }
    OrderId = {
        "description": "The order's number in this host's store.",
        "type": "integer",
        "minimum": 1,
        "maximum": SAFE_INTEGER_MAX,
    }
    OrderStatus = {
        "description": "`PENDING`: under way. `COMPLETED`: sold. `FAILED`: not sold, its stock given back; `reason` says why. \
                        `PENDING_RELEASE`: not sold, but a remote inventory may hold its stock until it has confirmed the \
                        release.",
        "enum": order::Status::ALL.map(order::Status::as_str),
    }
    Traceresponse = { "type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$" }
    TillPlugins = {
        "type": "string",
        "pattern": format!(
            "^{}$",
            [
                hooks::Kind::REQUIRED.map(|kind| format!(r"{kind}/[^,]+@[^,]+\+[0-9a-f]{{12}}")).join(", "),
                r"(, [a-z-]+/[^,]+@[^,]+\+[0-9a-f]{12}(\.[0-9a-f]{8})?)*".to_owned(),
            ].concat()
        ),
    }
    TraceId = { "type": "string", "pattern": "^[0-9a-f]{32}$" }
    SpanId = { "type": "string", "pattern": "^[0-9a-f]{16}$" }
    Moment = {
        "description": "RFC 3339, in UTC, to the millisecond.",
        "type": "string",
        "format": "date-time",
        "examples": ["2026-11-28T01:02:03.004Z"],
    }
    Name = {
        "description": "1 to 64 bytes of UTF-8 (the schema counts characters) without control characters.",
        "type": "string",
        "minLength": 1,
        "maxLength": 64,
        "pattern": NO_CONTROL,
        "examples": ["ana"],
    }
    PluginKind = {
        "description": "Which world a plugin fills.",
        "enum": hooks::Kind::ALL.map(hooks::Kind::as_str),
    }
    InstallationName = {
        "description": "The name under which a plugin is installed at a hook that may have several.",
        "type": "string",
        "pattern": "^[a-z][a-z0-9-]{0,29}$",
        "examples": ["spring"],
    }
    EnteredCode = {
        "description": "A code that a customer entered, as typed: 1 to 64 bytes of UTF-8 (the schema counts characters) without control characters.",
        "type": "string",
        "minLength": 1,
        "maxLength": 64,
        "pattern": NO_CONTROL,
        "examples": ["WELCOME10"],
    }
    Locale = {
        "description": "A language tag of BCP 47.",
        "type": "string",
        "maxLength": 35,
        "pattern": "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
        "examples": ["en-CA"],
    }
    AddressPart = {
        "description": "1 to 255 bytes of UTF-8 (the schema counts characters) without control characters.",
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": NO_CONTROL,
    }
    AddressCode = {
        "description": "1 to 32 bytes of UTF-8 (the schema counts characters) without control characters.",
        "type": "string",
        "minLength": 1,
        "maxLength": 32,
        "pattern": NO_CONTROL,
    }
    ChosenDelivery = {
        "description": "The `handle` of an option by the group's `id`, which is a number.",
        "type": "object",
        "propertyNames": { "pattern": "^[1-9][0-9]{0,8}$" },
        "additionalProperties": { "type": "string" },
        "examples": [{ "1": "flat/standard" }],
    }
    Digest = { "description": "SHA-256, hex.", "type": "string", "pattern": "^[0-9a-f]{64}$" }
    VersionId = {
        "description": "A version's number, ascending.",
        "type": "integer",
        "minimum": 1,
        "maximum": SAFE_INTEGER_MAX,
    }
    RecordingId = {
        "description": "A recorded call's number, ascending.",
        "type": "integer",
        "minimum": 1,
        "maximum": SAFE_INTEGER_MAX,
    }
    CanaryPercent = {
        "description": "The share of the requests, in percent.",
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 100,
    }
    PerSecond = {
        "description": "How many a second, a value a sample. Of 5xx, where it is errors.",
        "type": "array",
        "items": { "type": "number", "minimum": 0 },
    }
    Quantiles = {
        "description": "Milliseconds, a value a sample; null where there was no request.",
        "type": "array",
        "items": { "type": ["number", "null"] },
    }
    Nanoseconds = { "type": "string", "pattern": "^[0-9]{1,20}$" }
}

values! { true:
    AttributeValue = { "oneOf": [{ "type": "string" }, { "type": "number" }, { "type": "boolean" }] }
    DeliveryKind = { "enum": ["shipping", "local-delivery", "pickup", "pickup-point", "digital"] }
    CodeVerdict = { "enum": ["accepted", "not_applied", "refused", "unknown"] }
    DropReason = { "enum": ["cap", "does_not_combine", "worth_nothing"] }
    ApprovalState = {
        "description": "`approved`: another person approved it, and it was carried out. `rejected`: somebody turned it down, or took it back.",
        "enum": ["waiting", "approved", "rejected"],
    }
    Decision = { "enum": ["approve", "reject"] }
    HookAction = { "enum": ["install", "uninstall", "order"] }
    Became = { "enum": ["published", "unchanged", "candidate", "waiting"] }
    Breaker = { "enum": ["closed", "open"] }
    ComparedPart = { "enum": ["outcome", "total", "adjustments", "decision", "stock"] }
    Effect = {
        "description": "`included` changes nothing: it states what the prices hold already, tax say.",
        "enum": EFFECTS.map(order::Effect::as_str),
    }
    EventAction = {
        "enum": [
            "start", "deploy", "install", "uninstall", "order", "rollback", "set", "rollout", "promote", "pause", "resume", "abort",
            "supersede", "refuse", "ask", "reject",
        ],
    }
    FieldValue = { "type": ["string", "number", "boolean", "null"] }
    Level = { "enum": ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"] }
    MarkKind = { "enum": ["swap", "fault"] }
    Reason = { "type": "string", "maxLength": 1024 }
    ReleaseOutcome = { "enum": ["returned", "released_before", "nothing_taken"] }
    ReferenceType = { "enum": ["CHILD_OF", "FOLLOWS_FROM"] }
    Role = { "enum": ["live", "canary", "shadow"] }
    RolloutState = {
        "description": "`running`, or `paused`: it has no end yet. `promoted`: its version became live. `rolled_back`: its \
                        gates withdrew the version. `aborted`: somebody did. `superseded`: another version became live \
                        meanwhile.",
        "enum": ["running", "paused", "promoted", "rolled_back", "aborted", "superseded"],
    }
    SampledFlag = { "enum": [0, 1] }
    SpanKind = { "enum": ["client", "server", "producer", "consumer", "internal"] }
    SwapAction = { "enum": ["start", "deploy", "install", "rollback", "set", "rollout", "promote"] }
    TagType = { "enum": ["string", "bool", "int64", "float64"] }
    TagValue = { "type": ["string", "boolean", "number", "null"] }
    VersionState = {
        "description": "`candidate`: tried beside the live one. `former`: it was live, and a rollback comes back to it. \
                        `withdrawn`: it was rolled back, and only who names it gets it again.",
        "enum": ["candidate", "live", "former", "withdrawn"],
    }
}
