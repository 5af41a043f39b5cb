//! Every setting and every limit of the host, with its name, default, unit and reason, in one table.
//!
//! The table generates the typed [`Settings`], `till serve --print-config`, docs/operate/settings.md and
//! docs/operate/limits.md. Values come from flags, then the environment, then `till.toml`, then the demo (if there is
//! no `till.toml`), then the defaults; [`Sources`] records the origin of each.

mod memory;
mod service_links;
mod sources;
mod token;
mod value;
mod watched;

use std::{collections::BTreeMap, ffi::OsStr, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

pub use crate::nearest::{did_you_mean, nearest};
use memory::half_of_memory_mib;
use sources::wanted;
pub use sources::{Listed, Origin, Sources, Unusable, is_row, row};
pub use token::read_token;
pub use value::{
    GRANTS, HostNames, MaskedKeys, ON_FAILURE, OptionalPath, OptionalText, Origins, PaymentMethods, Percent, REUSE,
    Required, reused_calls,
};
use value::{Value, beside_cores, per_core};
pub use watched::{WatchedTag, WatchedTags};

use crate::{
    hooks::PerKind,
    oci,
    order::{Currency, Item, MinorUnits},
    telemetry::LogFormat,
    tls::ServerFiles,
    units::MIB,
};

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// `section.name`, as in `till.toml` and `--set`.
    pub key: &'static str,
    /// The default, in the form for people.
    pub default: &'static str,
    /// The least and the greatest value; `None` if the setting isn't a number.
    pub range: Option<(u32, u32)>,
    /// The unit of a number; empty if the setting isn't a number.
    pub unit: &'static str,
    pub reason: &'static str,
    /// What happens past the limit; empty if the reason says so, or if nothing can be past it.
    pub past: &'static str,
    default_value: fn() -> String,
}

impl Row {
    /// Checks that a number is within the range.
    ///
    /// # Errors
    /// Says what is allowed.
    fn check(&self, value: &OsStr) -> Result<(), String> {
        let number = value.to_str().and_then(|text| text.replace('_', "").parse::<f64>().ok());
        match (self.range, number) {
            (Some((least, most)), Some(number)) if !(f64::from(least)..=f64::from(most)).contains(&number) => Err(
                wanted(&format!("{} from {least} to {most}", if self.unit == "%" { "a number" } else { self.unit })),
            ),
            _ => Ok(()),
        }
    }
}

macro_rules! settings {
    ($($(#[doc = $section_doc:literal])* $section:ident as $Section:ident {
        $($name:ident: $type:ty = $default:literal $([$least:literal, $most:literal])? $(from $computed:expr)?, $unit:literal, $reason:literal $(, past $past:literal)?;)*
    })*) => {
        $(
            $(#[doc = $section_doc])*
            #[derive(Debug, Clone)]
            pub struct $Section {
                $(#[doc = $reason] pub $name: $type,)*
            }
        )*

        /// All settings, checked.
        #[derive(Debug, Clone)]
        pub struct Settings {
            $(pub $section: $Section,)*
            /// Opening stock, used only for items that the store doesn't know.
            pub stock: BTreeMap<Item, u32>,
            /// The catalogue: items with a fixed price, whatever price a client sends.
            pub prices: BTreeMap<Item, MinorUnits>,
            /// The values of `host.setting` for each kind of plugin.
            pub of_plugins: PerKind<BTreeMap<String, String>>,
            /// Every setting as a text, with its source, for people.
            pub listed: Arc<[Listed]>,
        }

        /// The sections of the table, each with its description.
        pub const SECTIONS: &[(&str, &str)] = &[$((stringify!($section), concat!($($section_doc),*)),)*];

        /// The table.
        pub const ROWS: &[Row] = &[$($(
            Row {
                key: concat!(stringify!($section), ".", stringify!($name)),
                default: $default,
                range: settings!(@range $($least, $most)?),
                unit: $unit,
                reason: $reason,
                past: concat!($($past)?),
                default_value: settings!(@default $default $(, $computed)?),
            },
        )*)*];

        impl Settings {
            fn of_values(sources: &Sources) -> Result<Self, Unusable> {
                let shop_currency: Currency = sources.value("shop.currency")?;
                Ok(Self {
                    $($section: $Section {
                        $($name: sources.value(concat!(stringify!($section), ".", stringify!($name)))?,)*
                    },)*
                    stock: sources.items("stock", |text| u32::parse(text).map_err(|fine| wanted(&fine)))?,
                    prices: sources.items("prices", |text| {
                        shop_currency.parse(text).map_err(|error| format!("the price {error}"))
                    })?,
                    of_plugins: PerKind::try_from_fn(|kind| match kind.is_required() {
                        true => sources.plugin_settings(kind.as_str()),
                        // What is installed has its own settings, and no section.
                        false => Ok(BTreeMap::new()),
                    })?,
                    listed: sources.listed(),
                })
            }
        }
    };
    (@range) => { None };
    (@range $least:literal, $most:literal) => { Some(($least, $most)) };
    (@default $default:literal) => { || String::from($default) };
    (@default $default:literal, $computed:expr) => { || $computed };
}

settings! {
    /// Where the host listens, keeps its data and finds its plugins.
    server as Server {
        listen: SocketAddr = "127.0.0.1:8000", "", "where the shop is served";
        admin: SocketAddr = "127.0.0.1:8001", "", "where operators are served: `till stock`, `till orders`, the trace page";
        data: PathBuf = "till-data", "", "the folder of the order store";
        hosts: HostNames = "", "", "names by which clients may ask for the shop, with commas between them, such as `shop.example`; on loopback this machine's own names count as well, elsewhere any name does while none is set (except for `/inventory/*` without a token)";
        origins: Origins = "", "", "sites whose pages a browser lets use the shop (CORS), with commas between them, such as `https://shop.example`";
        plugins: OptionalPath = "", "", "a folder of plugins that replace the built-in ones, watched for new ones while the host serves";
        plugins_scan_ms: u64 = "1000" [10, 86_400_000], "ms", "how often the host looks into the plugin folder, even without an event: events get lost, and NFS has none";
        plugins_settle_ms: u64 = "200" [0, 3_600_000], "ms", "how long a file in the plugin folder stays as it is before it counts as whole, if its writer neither closed it nor moved it there; over the tick of the file system's times: 4 ms on ext4, 2 s on FAT";
        compile_with: OptionalPath = "", "", "the till program that compiles plugins first, in a process of its own; `till serve` takes itself";
        inventory_url: OptionalText = "", "", "another till whose inventory is asked over HTTP, instead of the plugin in this process";
        inventory_url_before: OptionalText = "", "", "the former address of the till at inventory_url: orders that wait for their release there are released at inventory_url";
        inventory_token_file: OptionalPath = "", "", "the bearer token of `/inventory/*`: demanded here, sent to inventory_url";
        inventory_ca_file: OptionalPath = "", "", "the certificates, in PEM, that the till at an https inventory_url has to show one of; otherwise the system's";
        inventory_cert_file: OptionalPath = "", "", "the certificate, in PEM, that is shown to an https inventory_url which asks for one";
        inventory_key_file: OptionalPath = "", "", "the key, in PEM, of server.inventory_cert_file";
        inventory_open: bool = "off", "", "serves `/inventory/*` without a token even off loopback; for the demo's stack only";
        admin_token_file: OptionalPath = "", "", "the bearer token of the admin listener, for everything; this or server.admin_tokens_file is demanded before it listens off loopback";
        admin_tokens_file: OptionalPath = "", "", "named tokens of the admin listener, each with a scope, a digest and perhaps an end, as `till token new` writes them; read again when it changes. The history then has the token's name";
        tls_cert_file: OptionalPath = "", "", "the certificate of the shop's listener, in PEM, with those between it and its authority: the listener then speaks TLS alone; read again when it changes";
        tls_key_file: OptionalPath = "", "", "the key, in PEM, of server.tls_cert_file";
        tls_client_ca_file: OptionalPath = "", "", "certificates, in PEM, of which each client of the shop's listener has to show one; for a till that serves other tills only";
        admin_tls_cert_file: OptionalPath = "", "", "the certificate of the admin listener, as server.tls_cert_file is the shop's";
        admin_tls_key_file: OptionalPath = "", "", "the key, in PEM, of server.admin_tls_cert_file";
        admin_tls_client_ca_file: OptionalPath = "", "", "certificates, in PEM, of which each client of the admin listener has to show one, besides its token";
    }
    /// The shop's currency.
    shop as Shop {
        currency: Currency = "USD", "", "ISO 4217; one a host";
    }
    /// Settings for all plugins.
    plugins as Plugins {
        approval: bool = "off", "", "the two-person rule: what is deployed, set, installed or taken off waits until a token of another name promotes or approves it; takes server.admin_tokens_file. Going back, pausing and withdrawing take one person";
        approval_canary_percent_max: f64 = "10" [0, 100], "%", "with plugins.approval: the share of the requests that a canary may have before a second person has promoted it", past "refused, 403";
        random_seed: Option<u64> = "", "", "a whole number: every call of a plugin then draws equal random numbers, so that runs can be compared; for tests only";
        watch: WatchedTags = "", "", "tags in registries whose new versions are tried, with commas between them, such as `oci://registry.example/shop/checkout:stable, oci://registry.example/shop/spring:stable as discounts/spring`; a tag that moves begins a canary, never a swap";
        watch_every_ms: u64 = "60000" [100, 86_400_000], "ms", "how often a watched tag is looked up, give or take a tenth; ever less often while its registry can't be asked";
        watch_canary_percent: f64 = "10" [1, 100], "%", "the share of requests that a watched tag's new version is tried on; the section `rollout` has the rest of its plan";
    }
    /// Registries of containers (OCI) that plugins are pulled from and pushed to.
    oci as Oci {
        plain_http: oci::Hosts = "localhost, 127.0.0.1, [::1]", "", "registries that are spoken to without TLS, each HOST or HOST:PORT, with commas between them; a list of your own replaces this one";
        credentials_file: OptionalPath = "", "", "a file in the form of Docker's `config.json`; otherwise that of the user, in DOCKER_CONFIG or ~/.docker";
        ca_file: OptionalPath = "", "", "certificates, in PEM, that registries may show one of, besides the system's";
        ms: u64 = "60000" [100, 3_600_000], "ms", "how long a pull or a push may take in all, with what is attached: its signatures", past "given up; nothing is changed";
        redirects: usize = "3" [0, 20], "redirects", "how often a registry may lead elsewhere for one content, as registries of clouds do; only https is followed, and no other host gets the credentials", past "refused";
    }
    /// Whose plugins the host takes.
    trust as Trust {
        require: Required = "none", "", "what a plugin needs, however it comes in, at a start as well: `none`; `digest`: it is listed in trust.keys_file by its digest, or signed; `signature`: it is signed by somebody whom that file names. The built-in plugins need nothing";
        keys_file: OptionalPath = "", "", "the trust file (TOML): whose signatures count and for which hooks, and digests that are taken; read again when it changes. `till plugin key new` prints an entry";
    }
    /// The host's own rules for checkout plugins.
    checkout as Checkout {
        discount_max_percent: u8 = "50" [0, 100], "%", "the most that a plugin may take off the sum of an order's lines: stops a broken plugin that gives goods away; what it subtracts and adds under one category, such as a delivery that is free, is set off first";
        added_max_percent: u32 = "1000" [0, 1_000_000], "%", "the most that a plugin may add to an order, such as tax and delivery, in percent of its lines' sum: stops a slipped decimal that sells 9.00 of goods for 900,719,934.47; a shop whose delivery is never more than its goods says 100";
        added_max_floor: u32 = "100" [0, 1_000_000_000], "units", "what a plugin may add to any order, in whole units of shop.currency, even if that is more than checkout.added_max_percent: goods of 1.00 are delivered for 4.99; a shop in a currency of small units (HUF, JPY) that sends goods for almost nothing says more";
        idempotency_hours: u32 = "24" [0, 8_760], "h", "how long an answer is kept for its Idempotency-Key; a client that retries later buys again";
    }
    /// How far the plugins at `cart-transform` may change what is bought.
    cart_transform as CartTransform {
        decrease_max_percent: u32 = "50" [0, 100], "%", "the most by which all of them together may lower the sum of a cart's lines, of what the lines cost at list prices; a gift counts at its list price", past "`bad_output`, 502";
        increase_max_percent: u32 = "100" [0, 1_000_000], "%", "the most by which they may raise it: a deposit, an insurance, an engraving", past "`bad_output`, 502";
    }
    /// Ways of delivery, which the plugins at `delivery-options` offer.
    delivery as Delivery {
        cost_max: u32 = "1000" [0, 1_000_000_000], "units", "the most that a way of delivery may cost, in whole units of shop.currency: stops a slipped decimal", past "`bad_output`, 502";
    }
    /// Tax, which the plugin at `tax` assesses.
    tax as Tax {
        max_percent: u32 = "100" [0, 10_000], "%", "the most tax that may be added to an order, of what is taxed", past "`bad_output`, 502";
    }
    /// Ways to pay, which the plugins at `payment-menu` hide, rename and move.
    payment as Payment {
        methods: PaymentMethods = "", "", "what customers may choose from, as `id=Name` with commas between them, such as `card=Card, invoice=Invoice`; empty leaves payment to the shop";
    }
    /// Quotes: what a cart would cost.
    quote as Quote {
        key_file: OptionalPath = "", "", "the file of the key that quotes are signed with, 43 characters or more (`openssl rand -base64 32`), equal on all hosts of a shop; without one a host draws a key at each start, so that quotes end with it, and hosts that share a store sign none";
        valid_ms: u64 = "900000" [1_000, 86_400_000], "ms", "how long a quote is taken by a checkout; the longer, the likelier the price has changed meanwhile, which the checkout then says", past "`quote_unusable`, 422";
    }
    /// Customers who have signed in to the shop's own login.
    customers as Customers {
        keys_file: OptionalPath = "", "", "the keys of the shop's login, which signs its customers' tokens: a JWKS file, or one public key in PEM; read again when it changes. Without it no request may have a `customer_token`";
        audience: OptionalText = "", "", "the `aud` that a customer's token has to have, for a login that signs tokens for others as well; without it a token must have none";
        issuer: OptionalText = "", "", "the `iss` that a customer's token has to have";
        lifetime_max_s: u32 = "86400" [60, 31_536_000], "s", "how long a customer's token may be valid, from its `iat` to its `exp`: one that is stolen is good for so long";
    }
    /// When a plugin that keeps failing isn't called for a while.
    breaker as Breaker {
        faults: u64 = "20" [1, 1_000_000], "faults", "traps, limits, bad output and answers without a decision (`other`, `unavailable`) of one version within the window";
        window_ms: u64 = "10000" [1_000, 3_600_000], "ms", "how long a fault counts";
        fault_percent: u8 = "20" [0, 100], "%", "the share of the version's calls that have to be faults as well: one cart that traps a plugin mustn't close the shop for everybody";
        open_ms: u64 = "5000" [1, 3_600_000], "ms", "how long a plugin that keeps breaking isn't called: 503 with Retry-After; then one call is on trial";
        rollback: bool = "off", "", "makes the version before live when the live one keeps breaking, if there is one";
    }
    /// The defaults of a rollout, unless a deploy says otherwise.
    rollout as Rollout {
        calls_min: u64 = "100" [1, 1_000_000_000], "calls", "calls of the candidate before anything is decided, except on overwhelming evidence";
        duration_ms: u64 = "600000" [1, 2_592_000_000], "ms", "how long a candidate is tried; then it is promoted, or paused if its calls were too few";
        trap_percent_max: f64 = "1" [0, 100], "%", "of the candidate's calls: traps, limits, bad output. Answers without a decision (`other`, `unavailable`, `conflict`) have this limit, too, counted apart";
        deadline_percent_max: f64 = "1" [0, 100], "%", "of the candidate's calls: CPU or wall time used up";
        p99_percent_max: f64 = "150" [1, 1_000_000], "%", "the candidate's p99 in percent of the live version's";
        outcome_percent_max: f64 = "5" [0, 100], "%", "percentage points between the shares of an outcome; for a shadow, the share of calls that differ";
        promote: bool = "on", "", "whether a canary that has passed becomes live; otherwise it is paused";
        rollback: bool = "on", "", "whether a candidate that fails is withdrawn; otherwise it is paused";
    }
    /// Log lines, on stderr.
    log as Log {
        format: LogFormat = "auto", "", "json, pretty, or auto: pretty on a terminal";
        level: String = "info", "", "a level, or directives such as till=debug,info";
        kept_kib: usize = "1024" [0, 1_048_576], "KiB", "memory for the last lines, about, shown by `till logs`: some 3,000 lines; 0 keeps none, and neither does traces.kept_mib = 0", past "the oldest lines make room";
    }
    /// Recent traces in memory, shown on the admin listener.
    traces as Traces {
        kept_mib: usize = "64" [0, 1_048_576], "MiB", "memory for recent traces, about; traces with an error and slow traces stay longest; 0 keeps none, and there is no trace page";
        slow_ms: u64 = "1000" [1, 3_600_000], "ms", "a request that takes so long makes its trace one that stays longer";
        sent_percent: Percent = "100" [0, 100], "%", "the share of traces without an error that aren't slow that goes to the OTLP backend, chosen by trace id when they end; the other traces always do";
        held_spans: usize = "20000" [0, 10_000_000], "spans", "spans of traces that haven't ended, held until it is decided which traces are sent, some 1 KiB each", past "a new trace's id decides when the trace begins";
        held_mib: usize = "32" [1, 1_048_576], "MiB", "memory of traces that haven't ended, for traces.sent_percent", past "the id of the trace that grows decides at once";
        queued_mib: usize = "16" [1, 1_048_576], "MiB", "memory of spans that wait for the OTLP backend or are on their way there, and as much of log lines", past "lost, counted";
        url: OptionalText = "", "", "the beginning of links to traces, with scheme and port, if people reach the admin listener under another address";
    }
    /// Recordings of plugins' calls, for `till plugin replay`.
    recordings as Recordings {
        kept_mib: usize = "64" [0, 1_048_576], "MiB", "memory for recordings of the last calls, some 1 KiB each: what a plugin was asked, what the host answered it, what it decided; calls that ended in an error stay longest; 0 records nothing";
        kept_days: u32 = "7" [1, 3_650], "days", "how long a recording is kept at most";
        disk_percent: Percent = "0" [0, 100], "%", "the share of calls whose recordings are written to the disk as well, to `recordings` in server.data, where they outlive the host; chosen by trace id, so that a request's calls stay together. Calls that ended in an error always are, unless this is 0";
        disk_mib: usize = "256" [1, 1_048_576], "MiB", "recordings on the disk, all together", past "the oldest are deleted";
        mask: MaskedKeys = "name, first_name, firstname, last_name, lastname, surname, full_name, fullname, username, recipient, email, mail, phone, telephone, tel, mobile, fax, address, street, ship_to.company, ship_to.lines, bill_to.company, bill_to.lines, birthday, birthdate, birth_date, token, secret, password, passphrase, authorization, cookie, session, api_key, apikey, card, iban, bic, cvc, cvv, ssn", "", "keys whose values are masked before anything is recorded, with commas between them: in attributes, customers' fields, addresses, settings, headers and bodies. `email` is also the key `billing-email` or `customerEmail`; `ship_to.lines` is `lines` within `ship_to` alone";
        mask_found: bool = "on", "", "masks whatever looks like a mail address, a card's number, a phone number or a token in any text, whatever its key";
    }
    /// The order store.
    store as Store {
        url: OptionalText = "", "", "a PostgreSQL that keeps the store for several hosts, `postgres://user@host,host/database`; empty keeps it in a file of server.data. Its tables are made by `till store migrate`";
        password_file: OptionalPath = "", "", "the password for store.url; otherwise the address's own, or PGPASSWORD";
        ca_file: OptionalPath = "", "", "the certificates, in PEM, that store.url's server has to show one of; otherwise the system's. `sslmode=require` in store.url has no connection without TLS";
        require_synchronous: bool = "off", "", "refuses a database without a synchronous standby: the loss of its machine loses the newest orders";
        queue_commands_max: usize = "4096" [1, 1_000_000], "commands", "commands that wait for the writer", past "`store_unavailable`, 503";
        batch_commands_max: usize = "512" [1, 100_000], "commands", "commands of one transaction; more would only make callers wait longer";
        linger_ms: u64 = "5" [0, 10_000], "ms", "how long a step that nobody waits for may stay uncommitted";
        readers: usize = "2" [1, 64], "connections", "connections that read, apart from those that write";
        busy_timeout_ms: u64 = "2000" [0, 600_000], "ms", "how long the writer waits for a lock that a backup holds";
        look_ms: u64 = "1000" [0, 600_000], "ms", "how long a start checks the file's structure for damage: enough for all of a store of some hundred MiB; till doctor always checks all of it";
        wal_warn_mib: usize = "128" [1, 1_048_576], "MiB", "size of the write-ahead log; it is cut to 64 MiB when it is used anew, so one that is larger only grows", past "the log warns";
    }
    /// Requests that plugins make to others, to places that are granted to them.
    outbound as Outbound {
        secrets: OptionalPath = "", "", "a folder with a file for each secret that grants may name: its text is the whole value of a header, such as `Bearer 0123...`, and plugins never see it; read at the start";
        ca_file: OptionalPath = "", "", "certificates, in PEM, that servers of `https` grants may show one of, besides the system's";
        requests: usize = "64 per core" [1, 1_000_000] from per_core(64), "requests", "requests of plugins under way, all together", past "waits, within its call's time";
        bodies_mib: usize = "64" [1, 1_048_576], "MiB", "bodies of plugins' requests under way and of their answers, all together, counted as large as their grants allow", past "waits, within its call's time";
        lookups: usize = "16" [1, 256], "lookups", "names of hosts being looked up: each lookup takes a thread until the system answers, even if its request has ended", past "waits, within its call's time";
        header_bytes: usize = "16384" [8_192, 1_048_576], "bytes", "the headers of an answer together", past "`too-large`";
        headers: usize = "64" [8, 1_000], "headers", "the headers of an answer", past "`too-large`";
        cache_mib: usize = "8" [0, 1_048_576], "MiB", "answers that stand in for those to equal requests of one installation, 10 minutes at most; 0 keeps none", past "the oldest of the installation with the most is dropped";
    }
    /// The limits of requests and of plugins' calls.
    limits as Limits {
        guest_cpu_ms: u64 = "50" [1, 60_000], "ms", "processor time of a call's guest: its code, its operations over memory, what WASI does for it; not host calls, waiting, or time in which its thread was preempted; a checkout takes well under 1 ms, so a call that takes longer loops; a single operation (`memory.fill`) isn't interrupted, and takes longer the larger limits.guest_memory_mib is", past "`deadline`, 504";
        inventory_call_ms: u64 = "4000" [1, 600_000], "ms", "wall time of an inventory call, host calls included; the demo sleeps up to 2.5 s", past "cancelled: `deadline`, 504";
        remote_call_ms: u64 = "5000" [1, 600_000], "ms", "wall time of a call to inventory_url; more than the remote's own limit, so that its answer arrives", past "`inventory_unreachable`, 502: the outcome is unknown, and the order waits for its release";
        hook_cpu_ms: u64 = "10" [1, 60_000], "ms", "processor time of a call at a hook that decides and has no effect (`discounts`, `tax`, …), counted as limits.guest_cpu_ms is", past "`deadline`, 504";
        hook_call_ms: u64 = "500" [1, 600_000], "ms", "wall time of such a call", past "cancelled: `deadline`, 504";
        hook_http_call_ms: u64 = "3000" [1, 600_000], "ms", "wall time of such a call at a hook that may ask others (`delivery-options`, `tax`); its requests end a tenth before, 100 ms at most, so that it can answer for a silent place", past "cancelled: `deadline`, 504";
        price_ms: u64 = "3500" [1, 600_000], "ms", "wall time of all hooks together that price a cart, in a quote and before an order is written", past "`deadline`, 504";
        checkout_call_ms: u64 = "6000" [1, 600_000], "ms", "wall time of a checkout call, its inventory call included", past "cancelled: `deadline`, 504";
        request_ms: u64 = "7000" [1, 600_000], "ms", "wall time of a request after it was read; more than everything that it waits for", past "`deadline`, 504; `/orders/{reference}` tells how it ended";
        guest_fuel: bool = "off", "", "counts what each call executes, shown as plugin.fuel_used and plugin_fuel; equal on every machine; counting costs some speed";
        guest_telemetry_masked: bool = "on", "", "masks in plugins' log lines, prints and spans what looks like a mail address, a card's number, a phone number or a token, as recordings.mask_found does in recordings; authors' commands show it";
        guest_memory_mib: usize = "64" [1, 4_096], "MiB", "linear memory of a call, all its memories summed", past "`memory`, 502";
        guest_table_elements: usize = "20000" [0, 10_000_000], "elements", "table elements of a call, all its tables summed; CPython needs 7,699", past "`table.grow` answers -1";
        guest_core_instances: u32 = "64" [1, 10_000], "instances", "core instances of a component; CPython needs 38", past "refused when it is loaded";
        guest_memories: u32 = "4" [1, 100], "memories", "memories that a component defines, in one module or several; CPython has 3", past "refused when it is loaded";
        guest_tables: u32 = "8" [0, 100], "tables", "tables that a component defines, in one module or several; CPython has 3", past "refused when it is loaded";
        guests_memory_mib: usize = "half of the machine's" [1, 16_777_216] from half_of_memory_mib(), "MiB", "linear memory of all calls together; what is kept for the next calls is given back when there is no room for both", past "`overloaded`, 503";
        resting_memory_mib: usize = "64" [0, 1_048_576], "MiB", "memory of calls that have ended, kept for the next ones; more is given back after limits.resting_ms", past "given back to the system";
        resting_ms: u64 = "10000" [0, 86_400_000], "ms", "how long more than limits.resting_memory_mib is kept after a peak: giving it back loads the plugins' code anew", past "given back to the system";
        hostcall_bytes: usize = "262144" [1_024, 134_217_728], "bytes", "strings and lists that a guest hands over in one host call or result", past "`bad_output`, 502";
        hostcall_bytes_total: usize = "1048576" [1_024, 1_073_741_824], "bytes", "strings and lists that a guest hands over in a whole call", past "`bad_output`, 502";
        answer_text_bytes: usize = "1024" [64, 262_144], "bytes", "a label, category, attribute, code or message in a plugin's answer; they are kept with the order and shown to people; control characters are refused as well, but for line breaks and tabs in attributes and messages", past "`bad_output`, 502";
        receipt_adjustments: usize = "400" [0, 10_000], "adjustments", "adjustments of a receipt, four for each of 100 lines; they are kept with the order and shown to people", past "`bad_output`, 502";
        receipt_attributes: usize = "64" [0, 10_000], "attributes", "attributes of a receipt: those of an order, of which there are 32 at most, and as many of the plugin's own", past "`bad_output`, 502";
        host_calls: u32 = "256" [1, 1_000_000], "calls", "host calls of one call", past "`host_calls`, 502";
        wasi_handles: usize = "256" [16, 100_000], "handles", "streams, sockets, timers and other resources of WASI that a call may open at once, beside those that a reused instance kept; a language's runtime has some ten", past "`trap`, 502";
        wasi_random_bytes: u64 = "65536" [16, 16_777_216], "bytes", "random bytes in one answer of WASI; a hash seed takes 16", past "`trap`, 502";
        component_handles: usize = "10000" [100, 1_000_000], "handles", "resources that a call's components hold, those that they define themselves included; the host remembers each", past "`trap`, 502";
        spans: usize = "64" [0, 10_000], "spans", "spans that a call may start", past "dropped, counted on the call's span";
        events: usize = "128" [0, 10_000], "events", "span events of a call", past "dropped, counted on the call's span";
        attributes: usize = "32" [0, 1_000], "attributes", "attributes of one span, event or log line", past "dropped, counted on the call's span";
        attribute_bytes: usize = "1024" [16, 1_048_576], "bytes", "a text attribute or message from a guest", past "cut";
        log_lines: usize = "64" [0, 100_000], "lines", "log lines of a call, prints included: a line of one letter takes some 300 bytes in the log", past "dropped, counted on the call's span";
        log_bytes: usize = "16384" [0, 16_777_216], "bytes", "log text of a call as it stands in the log, prints included", past "dropped, counted on the call's span";
        plugin_log_lines: usize = "10000" [0, 1_000_000], "lines", "log lines that one plugin's calls write in a second, all together; enough for some lines per checkout of a busy shop, and few enough not to fill a disk", past "dropped, counted in `plugin_log_lines_dropped_total`, said once a minute";
        plugin_log_bytes: usize = "4194304" [0, 1_073_741_824], "bytes", "log text that one plugin's calls write in a second, all together", past "dropped, counted in `plugin_log_lines_dropped_total`, said once a minute";
        component_mib: usize = "32" [1, 1_024], "MiB", "a plugin's file; CPython's is 18", past "refused when it is loaded";
        compile_ms: u64 = "120000" [1, 86_400_000], "ms", "processor time for compiling a plugin, in a process of its own, all its threads summed; CPython's takes 20 to 30 s", past "ended, refused";
        compile_wall_ms: u64 = "600000" [1, 86_400_000], "ms", "how long compiling a plugin is waited for by the clock: its process has the lowest priority, and a busy shop leaves it little", past "killed, refused";
        compile_memory_mib: usize = "2048" [64, 1_048_576], "MiB", "memory of the process that compiles a plugin, one at a time", past "ended, refused";
        compiled_mib: usize = "512" [0, 16_777_216], "MiB", "compiled code that is kept in the data folder", past "what was used longest ago is deleted";
        component_depth: u64 = "8" [1, 100], "levels", "components and modules within each other; toolchains nest 3 deep, and composing adds a level", past "refused before it is compiled";
        component_modules: u64 = "128" [1, 100_000], "modules", "core modules of a component; CPython needs 38 core instances, some of one module", past "refused before it is compiled";
        component_instances: u64 = "256" [1, 100_000], "instances", "instances of components within a component; toolchains make one for each exported interface", past "refused before it is compiled";
        component_functions: u64 = "100000" [1, 10_000_000], "functions", "functions of a component; CPython has some 20,000; 200,000 empty ones took 10 s and 1.1 GB to compile", past "refused before it is compiled";
        component_function_kib: usize = "1024" [1, 65_536], "KiB", "one function's code; even an interpreter's main loop is well below", past "refused before it is compiled";
        component_locals: u64 = "5000" [1, 50_000], "locals", "locals of one function; 8,000 that live at once took 107 s to compile", past "refused before it is compiled";
        component_data_segments: u64 = "10000" [0, 100_000], "segments", "data segments of a component; linkers merge them; 90,000 sparse ones took 34 s and 1.8 GB to compile", past "refused before it is compiled";
        component_element_segments: u64 = "10000" [0, 100_000], "segments", "element segments of a component; linkers make one for each table", past "refused before it is compiled";
        component_types: u64 = "50000" [1, 1_000_000], "types", "types of all modules and interfaces; a program has one for each signature, not for each function", past "refused before it is compiled";
        component_globals: u64 = "50000" [0, 1_000_000], "globals", "globals of a component; a program that is linked when it is loaded has one for each symbol", past "refused before it is compiled";
        component_imports: u64 = "50000" [1, 1_000_000], "imports", "imports of all modules and interfaces; a program that is linked when it is loaded has one for each symbol", past "refused before it is compiled";
        component_exports: u64 = "50000" [1, 1_000_000], "exports", "exports of all modules and interfaces; a program that is linked when it is loaded has one for each symbol", past "refused before it is compiled";
        catalogue_mib: usize = "64" [1, 1_048_576], "MiB", "memory of the catalogue, about, and the size of a file that is imported; an import takes as much again while it is at work", past "413; the catalogue stays as it was";
        request_body_bytes: usize = "65536" [256, 1_073_741_824], "bytes", "a request's body; 100 long lines take 20 KiB", past "413";
        remote_body_bytes: usize = "65536" [256, 1_073_741_824], "bytes", "an answer of inventory_url", past "`inventory_unreachable`, 502: the outcome is unknown, and the order waits for its release";
        uri_bytes: usize = "2048" [128, 65_534], "bytes", "a request's target", past "414";
        header_bytes: usize = "16384" [1_024, 1_048_576], "bytes", "a request's headers together", past "431";
        headers: usize = "64" [8, 1_000], "headers", "a request's headers", past "431";
        idle_ms: u64 = "75000" [1, 86_400_000], "ms", "how long a connection of HTTP/1.1 rests between two requests; over the 60 s after which balancers close theirs, or they would send an order on one that is just being closed", past "closed";
        header_ms: u64 = "5000" [1, 600_000], "ms", "from the first byte of a request's headers to their last", past "closed";
        body_ms: u64 = "5000" [1, 600_000], "ms", "until a request's body is there", past "408";
        upload_ms: u64 = "60000" [1, 3_600_000], "ms", "until a plugin's file is there, on the admin listener", past "408";
        bodies_mib: usize = "64" [1, 1_048_576], "MiB", "bodies being read, all together; connections x streams x body would be gigabytes", past "503 with `Retry-After`";
        write_ms: u64 = "5000" [1, 600_000], "ms", "how long a client may take nothing of its answer", past "closed; a stream of HTTP/2 is reset, and its connection takes no more requests";
        answers_mib: usize = "64, and 4 per core" [1, 1_048_576] from beside_cores(64, 4), "MiB", "requests under way and answers that wait for their clients, all together, some 8 KiB each besides their heads and bodies", past "the connection that has the most of them is closed";
        linger_ms: u64 = "1000" [0, 60_000], "ms", "how long the host reads on after a last answer, because what the client still sends would destroy that answer", past "closed";
        connections: usize = "4096" [1, 1_000_000], "connections", "open connections; at most three quarters of the files that `ulimit -n` leaves: if that is fewer, the log says how many", past "one without a request under way makes room, or the next is refused";
        admin_connections: usize = "64" [1, 100_000], "connections", "open connections of the admin listener, apart, so that a full shop can still be looked at", past "one without a request under way makes room, or the next is refused";
        connection_age_ms: u64 = "300000" [1, 2_592_000_000], "ms", "how old a connection gets, so that clients spread over hosts anew", past "the next answer is the last: `connection: close`, GOAWAY";
        refusals: usize = "64" [1, 100_000], "connections", "connections past the limit that are answered at once: `/livez`, `/readyz` and `/metrics` as ever, the rest with 503", past "closed";
        refusal_ms: u64 = "1000" [1, 60_000], "ms", "how long a connection past limits.connections may take in all", past "closed";
        http2_streams: u32 = "64" [1, 10_000], "streams", "concurrent requests on one HTTP/2 connection", past "the client waits";
        http2_resets: u64 = "100" [0, 1_000_000], "requests", "requests that a client resets on one HTTP/2 connection; more are a rapid reset", past "closed";
        http2_frames: u64 = "1000" [1, 1_000_000], "frames", "frames of one HTTP/2 connection of which no request comes (PING, SETTINGS, WINDOW_UPDATE and the like), besides 16 for each request and one for each KiB of answers; more are a flood", past "closed";
        concurrent_requests: usize = "64 per core" [1, 1_000_000] from per_core(64), "requests", "checkouts at work; more would only wait for the cores", past "waits";
        queued_requests: usize = "256 per core" [0, 1_000_000] from per_core(256), "requests", "checkouts that wait for a place among limits.concurrent_requests; more would wait in vain, and refusing them at once costs the least", past "503 with `Retry-After`";
        queue_ms: u64 = "1000" [0, 600_000], "ms", "how long a checkout waits for its place; a checkout that would wait longer is refused at once, as estimated from how long the last ones held their places; a steady load that fits into the queue is served, a queue that grows is cut off", past "503 with `Retry-After`";
        shadow_calls: usize = "64 per core" [0, 1_000_000] from per_core(64), "calls", "calls of a shadow at work", past "not compared, counted as skipped";
        quotes: usize = "16 per core" [1, 1_000_000] from per_core(16), "requests", "quotes at work, counted apart so that customers who look take no place of those who buy", past "waits as a checkout does, then 503 with `Retry-After`";
        inventory_requests: usize = "64 per core" [1, 1_000_000] from per_core(64), "requests", "requests to `/inventory/*` at work, counted apart so that a till may call itself", past "waits, then 503";
        reused_instances: usize = "16 per core" [0, 1_000_000] from per_core(16), "instances", "instances of plugins that rest between two calls, all together; they hold their memory meanwhile, and there are fewer where memory is short", past "dropped; the next call has a fresh one";
        reused_instance_ms: u64 = "60000" [0, 86_400_000], "ms", "how old an instance gets that rests between calls; whatever a guest has piled up is gone then", past "dropped; the next call has a fresh one";
        ready_ms: u64 = "500" [1, 60_000], "ms", "how long `/readyz` may take; most probes give up after a second", past "503";
        spread_ms: u64 = "15000" [0, 600_000], "ms", "how long the answer to a change of the plugins waits for the other hosts of its store to run what is live", past "answered all the same, with the names of those that don't (`behind`)";
        drain_ms: u64 = "10000" [0, 3_600_000], "ms", "how long a shutdown waits for requests under way", past "cut off; the next start settles them";
        telemetry_flush_ms: u64 = "5000" [0, 600_000], "ms", "how long a shutdown waits for the telemetry backend", past "what is left is lost";
    }
}

impl Settings {
    /// Returns the settings of these sources.
    ///
    /// # Errors
    /// Names the first unusable value, its origin, and what is allowed there.
    pub fn load(sources: &Sources) -> Result<Self, Unusable> {
        let settings = Self::of_values(sources)?;
        settings.limits.check_nesting()?;
        settings.check_approval()?;
        settings.server.check_tls()?;
        Ok(settings)
    }

    /// Checks that the host can tell persons apart where it takes two.
    fn check_approval(&self) -> Result<(), Unusable> {
        if self.plugins.approval && self.server.admin_tokens_file.is_none() {
            let reason = "plugins.approval = on takes tokens with names, by which it tells one person from another: set \
                          server.admin_tokens_file, made with till token new --name NAME --scope deploy --file FILE";
            return Err(Unusable::Together(reason));
        }
        Ok(())
    }
}

impl Oci {
    /// Returns how registries are reached.
    #[must_use]
    pub fn rules(&self, limits: &Limits) -> oci::Rules {
        oci::Rules {
            plain_http: self.plain_http.clone(),
            credentials_file: self.credentials_file.clone(),
            ca_file: self.ca_file.clone(),
            within: Duration::from_millis(self.ms),
            redirects_max: self.redirects,
            component_bytes_max: limits.component_mib * MIB,
        }
    }
}

impl Server {
    /// Returns the files of the shop's listener; `None` if it speaks HTTP without TLS.
    #[must_use]
    pub fn tls(&self) -> Option<ServerFiles> {
        Some(ServerFiles {
            certificate: (self.tls_cert_file.clone()?, "server.tls_cert_file"),
            key: (self.tls_key_file.clone()?, "server.tls_key_file"),
            client_authorities: self.tls_client_ca_file.clone().map(|file| (file, "server.tls_client_ca_file")),
        })
    }

    /// Returns the files of the admin listener; `None` if it speaks HTTP without TLS.
    #[must_use]
    pub fn admin_tls(&self) -> Option<ServerFiles> {
        let of_clients = self.admin_tls_client_ca_file.clone();
        Some(ServerFiles {
            certificate: (self.admin_tls_cert_file.clone()?, "server.admin_tls_cert_file"),
            key: (self.admin_tls_key_file.clone()?, "server.admin_tls_key_file"),
            client_authorities: of_clients.map(|file| (file, "server.admin_tls_client_ca_file")),
        })
    }

    /// Checks that each file of TLS has those that it needs: otherwise a listener would speak without TLS where it was meant to.
    fn check_tls(&self) -> Result<(), Unusable> {
        let is_https = self.inventory_url.as_ref().is_some_and(|url| url.starts_with("https://"));
        let check = |file: &OptionalPath, needed: bool, why| match file {
            Some(_) if !needed => Err(Unusable::Together(why)),
            _ => Ok(()),
        };
        let has = Option::is_some;
        check(
            &self.tls_cert_file,
            has(&self.tls_key_file),
            "server.tls_cert_file has no key: set server.tls_key_file, too",
        )?;
        check(
            &self.tls_key_file,
            has(&self.tls_cert_file),
            "server.tls_key_file has no certificate: set server.tls_cert_file, too",
        )?;
        check(
            &self.tls_client_ca_file,
            has(&self.tls_cert_file),
            "server.tls_client_ca_file is for TLS: set server.tls_cert_file and server.tls_key_file, too",
        )?;
        check(
            &self.admin_tls_cert_file,
            has(&self.admin_tls_key_file),
            "server.admin_tls_cert_file has no key: set server.admin_tls_key_file, too",
        )?;
        check(
            &self.admin_tls_key_file,
            has(&self.admin_tls_cert_file),
            "server.admin_tls_key_file has no certificate: set server.admin_tls_cert_file, too",
        )?;
        check(
            &self.admin_tls_client_ca_file,
            has(&self.admin_tls_cert_file),
            "server.admin_tls_client_ca_file is for TLS: set server.admin_tls_cert_file and server.admin_tls_key_file, too",
        )?;
        check(
            &self.inventory_ca_file,
            is_https,
            "server.inventory_ca_file is for an inventory_url that begins with https://",
        )?;
        check(
            &self.inventory_cert_file,
            is_https,
            "server.inventory_cert_file is for an inventory_url that begins with https://",
        )?;
        check(
            &self.inventory_cert_file,
            has(&self.inventory_key_file),
            "server.inventory_cert_file has no key: set server.inventory_key_file, too",
        )?;
        check(
            &self.inventory_key_file,
            has(&self.inventory_cert_file),
            "server.inventory_key_file has no certificate: set server.inventory_cert_file, too",
        )
    }
}

impl Limits {
    /// Returns the limits for a command that makes one call at a time, which determine what is reserved for calls.
    #[must_use]
    pub fn of_one_call(&self) -> Self {
        Self {
            concurrent_requests: 1,
            quotes: 0,
            inventory_requests: 0,
            shadow_calls: 0,
            reused_instances: 0,
            ..self.clone()
        }
    }

    /// Checks that deadlines nest: an outer deadline that ends first would turn a known outcome into an unknown one.
    fn check_nesting(&self) -> Result<(), Unusable> {
        let nested = [
            ("limits.inventory_call_ms", self.inventory_call_ms),
            ("limits.remote_call_ms", self.remote_call_ms),
            ("limits.checkout_call_ms", self.checkout_call_ms),
            ("limits.request_ms", self.request_ms),
        ];
        let inverted = nested.iter().zip(nested.iter().skip(1)).find(|((_, inner), (_, outer))| inner >= outer);
        inverted.map_or(Ok(()), |((inner, inner_ms), (outer, outer_ms))| {
            Err(Unusable::nesting(format!("{inner} = {inner_ms} has to be less than {outer} = {outer_ms}")))
        })
    }
}

#[cfg(test)]
mod tests;
