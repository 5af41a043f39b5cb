//! The variables that Kubernetes sets in every pod for each Service of its namespace ("service links", in the form of
//! Docker's container links). For a Service named `till` or `till-orders` they begin with `TILL_` like Till's settings,
//! but aren't settings. A manifest turns them off with `enableServiceLinks: false`.
//!
//! Source: `pkg/kubelet/envvars/envvars.go` of Kubernetes 1.35; kubernetes issues 60099 and 35189.

use std::ffi::OsStr;

/// Returns whether the variable has the form of a service link.
///
/// ```text
/// NAME_SERVICE_HOST  NAME_SERVICE_PORT  NAME_SERVICE_PORT_<port's name>
/// NAME_PORT=tcp://…  NAME_PORT_8000_TCP  NAME_PORT_8000_TCP_{PROTO,PORT,ADDR}
/// ```
pub(super) fn is_one(variable: &str, value: &OsStr) -> bool {
    let is_address = || {
        let value = value.to_string_lossy();
        ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
    };
    variable.ends_with("_SERVICE_HOST")
        || variable.ends_with("_SERVICE_PORT")
        || variable.contains("_SERVICE_PORT_")
        || variable.ends_with("_PORT") && is_address()
        || variable
            .match_indices("_PORT_")
            .any(|(at, before)| variable.get(at + before.len()..).is_some_and(is_numbered_port))
}

/// Returns whether the text is `8000_TCP`, or that with one of the endings.
fn is_numbered_port(text: &str) -> bool {
    let mut parts = text.split('_');
    let is_number = parts.next().is_some_and(|port| port.parse::<u16>().is_ok());
    let is_protocol = matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"));
    let is_ending = matches!(parts.next(), None | Some("PROTO" | "PORT" | "ADDR"));
    is_number && is_protocol && is_ending && parts.next().is_none()
}
