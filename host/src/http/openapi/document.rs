//! Makes `openapi.json` from three sources: the routes of both listeners give the operations and what every request
//! needs, the types of bodies give the schemas, and people write the rest, in `operations.json` (an entry for each
//! operation) and `shared.json` (what several have in common).
//!
//! The written entries are shorter than OpenAPI's; this module fills in the rest:
//!
//! | written | becomes |
//! |---|---|
//! | `"$ref": "Item"` | that schema's whole address |
//! | `"schema": "Order"` | a JSON body of that schema |
//! | `"codes": ["rejected"]` | a problem with the answer's status and one of these codes; so do the examples |
//! | `"404": "NotFound"` | that answer out of `shared.json`, in the form of the listener |
//! | no `"405"` | what any route may answer; also what any may that reads a body |
//!
//! A test compares the result with the file that both listeners serve, so that a host doesn't make it at run time, and
//! every change of it is reviewed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::schemas;
use crate::{
    admin,
    http::{problem::Code, router, routes::Documented},
    tokens::Scope,
};

const OPERATIONS: &str = include_str!("operations.json");
const SHARED: &str = include_str!("shared.json");

const ADMIN_URL: &str = "http://127.0.0.1:8001";
/// The trace id of all examples.
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// The width of a line.
const WIDTH: usize = 120;
const PROBLEM_JSON: &str = "application/problem+json";
/// The answers that any route may give, and those of routes that read a body.
const OF_ALL: [(&str, &str); 4] =
    [("405", "MethodNotAllowed"), ("414", "TargetTooLong"), ("417", "ExpectationFailed"), ("431", "HeadersTooLarge")];
const OF_BODIES: [(&str, &str); 3] = [("408", "BodyTimeout"), ("413", "BodyTooLarge"), ("415", "UnsupportedMediaType")];
/// The answer that belongs to no route.
const OF_NO_ROUTE: &str = "NotImplemented";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shared {
    info: Value,
    servers: Value,
    tags: Value,
    components: Map<String, Value>,
    responses: BTreeMap<String, SharedResponse>,
    /// The schemas that aren't derived, and additions to those that are.
    schemas: Value,
}

#[derive(Clone, Deserialize)]
struct SharedResponse {
    /// Whether the answer may come before there is a span, so without the shop's headers.
    #[serde(default)]
    bare: bool,
    #[serde(flatten)]
    response: Response,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Operation {
    tags: Vec<String>,
    summary: String,
    description: Option<String>,
    #[serde(default)]
    parameters: Vec<Value>,
    request_body: Option<Response>,
    responses: BTreeMap<String, Answer>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Shared(String),
    Own(Box<Response>),
}

/// An answer, or a request's body.
#[derive(Clone, Default, Deserialize)]
struct Response {
    /// The schema of a JSON body.
    schema: Option<String>,
    /// The codes of a problem.
    #[serde(default)]
    codes: Vec<String>,
    /// The content of a body of another type.
    content: Option<Map<String, Value>>,
    /// Names of shared headers, or a header by its name.
    #[serde(default)]
    headers: Vec<Value>,
    examples: Option<Map<String, Value>>,
    example: Option<Value>,
    /// The other members, in OpenAPI's form.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Which listeners answer a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    Shop,
    Both,
    Admin,
}

/// Returns the document to be served.
pub(super) fn text() -> String {
    let mut operations: BTreeMap<String, Operation> = serde_json::from_str(OPERATIONS).expect("operations.json");
    let mut shared: Shared = serde_json::from_str(SHARED).expect("shared.json");
    shared.info["version"] = env!("CARGO_PKG_VERSION").into();
    let mut making = Making { shared, used: Map::new() };
    making.shared(Audience::Shop, OF_NO_ROUTE);
    let paths = making.paths(&mut operations);
    assert!(operations.is_empty(), "these operations have no routes: {:?}", operations.keys());
    let Making { shared, used } = making;
    let mut components = shared.components;
    components["headers"]["Allow"]["schema"] = json!({ "enum": allowed() });
    components.insert("schemas".into(), schemas::all(shared.schemas));
    components.insert("responses".into(), used.into());
    let member = |name: &'static str, value: Value| (name, lines(&value, 1, name.len()));
    let paths = paths.iter().map(|(path, item)| (*path, lines(item, 2, path.len()))).collect();
    let members = vec![
        member("openapi", "3.1.1".into()),
        member("info", shared.info),
        member("servers", shared.servers),
        member("tags", shared.tags),
        ("paths", object(paths, 1)),
        member("components", expanded(components.into())),
    ];
    object(members, 0) + "\n"
}

/// Returns the possible values of `Allow`.
fn allowed() -> BTreeSet<String> {
    router::documented().into_iter().chain(admin::documented()).map(|route| route.allowed).collect()
}

struct Making {
    shared: Shared,
    /// The shared answers that operations have.
    used: Map<String, Value>,
}

impl Making {
    fn paths(&mut self, operations: &mut BTreeMap<String, Operation>) -> Vec<(&'static str, Value)> {
        let mut paths: Vec<(&str, Vec<Documented>, Audience)> = Vec::new();
        for route in router::documented() {
            match paths.last_mut().filter(|(path, ..)| *path == route.path) {
                Some((_, routes, _)) => routes.push(route),
                None => paths.push((route.path, vec![route], Audience::Shop)),
            }
        }
        for route in admin::documented() {
            match paths.iter_mut().find(|(path, ..)| *path == route.path) {
                Some((_, routes, Audience::Admin)) => routes.push(route),
                Some((path, routes, audience)) => {
                    let known = routes.iter().any(|known| known.operation == route.operation);
                    assert!(known, "{path} is another operation on the other listener");
                    *audience = Audience::Both;
                }
                None => paths.push((route.path, vec![route], Audience::Admin)),
            }
        }
        let path = |(path, routes, audience)| (path, expanded(self.path(routes, audience, operations)));
        paths.into_iter().map(path).collect()
    }

    fn path(
        &mut self,
        routes: Vec<Documented>,
        audience: Audience,
        operations: &mut BTreeMap<String, Operation>,
    ) -> Value {
        let mut item = Map::new();
        let admin = json!({ "url": ADMIN_URL, "description": "The admin listener." });
        match audience {
            Audience::Shop => None,
            Audience::Both => {
                item.insert("servers".into(), json!([{ "url": "/", "description": "Either listener." }, admin]))
            }
            Audience::Admin => item.insert("servers".into(), json!([admin])),
        };
        if audience != Audience::Admin {
            let traced = ["traceparent", "tracestate"].map(|name| reference("parameters", name));
            item.insert("parameters".into(), json!(traced));
        }
        for route in routes {
            let name = route.operation;
            let operation = operations.remove(name).unwrap_or_else(|| panic!("operations.json has no {name}"));
            item.insert(route.method.to_ascii_lowercase(), self.operation(&route, audience, operation));
        }
        item.into()
    }

    fn operation(&mut self, route: &Documented, audience: Audience, written: Operation) -> Value {
        let guarded = audience != Audience::Shop || route.is_guarded;
        let (of, token) = match audience {
            Audience::Shop => ("", "inventoryToken"),
            Audience::Both | Audience::Admin => ("Admin", "adminToken"),
        };
        let mut answers: BTreeMap<String, Answer> = BTreeMap::new();
        let mut may = |status: &str, name: String| _ = answers.insert(status.to_owned(), Answer::Shared(name));
        may("403", format!("{of}Forbidden"));
        if guarded {
            may("401", format!("{of}Unauthorized"));
        }
        let bodies = OF_BODIES.iter().filter(|_| written.request_body.is_some());
        OF_ALL.iter().chain(bodies).for_each(|(status, name)| may(status, (*name).to_owned()));
        answers.extend(written.responses);
        let answer = |(status, answer): (String, Answer)| {
            let answer = match answer {
                Answer::Shared(name) => self.shared(audience, &name),
                Answer::Own(own) => {
                    let of_codes = own.code().map(|code| code.status().as_str().to_owned());
                    assert!(
                        of_codes.is_none_or(|code| code == status),
                        "{}: {status} has other codes",
                        route.operation
                    );
                    answer_of(audience, *own, false)
                }
            };
            (status, answer)
        };
        let answers: Map<_, _> = answers.into_iter().map(answer).collect();

        let parameter = |parameter: Value| match parameter {
            Value::String(name) => reference("parameters", &name),
            own => own,
        };
        let parameters: Vec<_> = written.parameters.into_iter().map(parameter).collect();
        let body = written.request_body.map(|mut body| {
            body.rest.insert("required".into(), true.into());
            body.written(Map::new(), Map::new())
        });
        let mut operation = json!({
            "operationId": route.operation,
            "tags": written.tags,
            "summary": written.summary,
            "description": written.description,
            "security": guarded.then(|| json!([{}, { token: route.needs.map(Scope::as_str).into_iter().collect::<Vec<_>>() }])),
            "parameters": Some(parameters).filter(|parameters| !parameters.is_empty()),
            "requestBody": body,
            "responses": answers,
        });
        operation.as_object_mut().expect("an object").retain(|_, member| !member.is_null());
        operation
    }

    /// Returns a reference to a shared answer in the audience's form, and adds that answer to the document.
    fn shared(&mut self, audience: Audience, name: &str) -> Value {
        let shared = self.shared.responses.get(name).unwrap_or_else(|| panic!("shared.json has no {name}")).clone();
        let of_admin = name.starts_with("Admin") || name.starts_with("Jaeger");
        let (name, audience) = match audience {
            Audience::Shop => (name.to_owned(), Audience::Shop),
            _ if of_admin => (name.to_owned(), Audience::Admin),
            // Without what only the shop's answers have, because operations of both listeners refer to it.
            _ => (format!("Any{name}"), Audience::Admin),
        };
        let address = reference("responses", &name);
        let response = answer_of(audience, shared.response, shared.bare);
        self.used.insert(name, response);
        address
    }
}

fn answer_of(audience: Audience, mut answer: Response, bare: bool) -> Value {
    let mut headers = Map::new();
    let of_shop = match audience {
        Audience::Shop if !bare => ["traceresponse", "till-plugins"].as_slice(),
        Audience::Both if !bare => &["shopTraceresponse", "shopTillPlugins"],
        _ => &[],
    };
    for (name, shared) in ["traceresponse", "till-plugins"].into_iter().zip(of_shop) {
        headers.insert(name.into(), reference("headers", shared));
    }
    let mut content = Map::new();
    if let Some(code) = answer.code() {
        let (of, status) = (if audience == Audience::Shop { "Problem" } else { "AnyProblem" }, code.status().as_u16());
        let narrowed = json!({ "properties": {
            "status": { "type": "integer", "minimum": status, "maximum": status },
            "code": { "enum": answer.codes },
        } });
        let mut problem = json!({ "schema": { "allOf": [{ "$ref": of }, narrowed] } });
        if let Some(examples) = answer.examples.take() {
            let example = |(name, example)| problem_example(name, example, audience == Audience::Shop);
            problem["examples"] = examples.into_iter().map(example).collect::<Map<_, _>>().into();
        }
        content.insert(PROBLEM_JSON.into(), problem);
    }
    answer.written(headers, content)
}

impl Response {
    /// Returns the first of a problem's codes, which all have the same status.
    fn code(&self) -> Option<Code> {
        let codes: Vec<_> = self.codes.iter().map(|name| code_of(name)).collect();
        let first = *codes.first()?;
        assert!(codes.iter().all(|code| code.status() == first.status()), "{:?} have one status", self.codes);
        Some(first)
    }

    /// Returns the answer in OpenAPI's form, with these headers and bodies and its own.
    fn written(self, mut headers: Map<String, Value>, mut content: Map<String, Value>) -> Value {
        let Self { schema, content: other, headers: own, examples, example, rest, .. } = self;
        for header in own {
            match header {
                Value::String(name) => _ = headers.insert(name.clone(), reference("headers", &name)),
                Value::Object(own) => headers.extend(own),
                other => panic!("a header is a name or an object: {other}"),
            }
        }
        if let Some(schema) = schema {
            let mut body = json!({ "schema": { "$ref": schema }, "examples": examples, "example": example });
            body.as_object_mut().expect("an object").retain(|_, member| !member.is_null());
            content.insert("application/json".into(), body);
        }
        content.extend(other.unwrap_or_default());
        let mut written = rest;
        for (name, members) in [("headers", headers), ("content", content)] {
            if !members.is_empty() {
                written.insert(name.into(), members.into());
            }
        }
        written.into()
    }
}

/// Returns an example of a problem with all its members. Its code is its name, unless it states another.
fn problem_example(name: String, written: Value, is_traced: bool) -> (String, Value) {
    let Value::Object(mut members) = written else { panic!("the example {name} is an object") };
    let summary = members.remove("summary");
    let code = members.remove("code").unwrap_or_else(|| name.clone().into());
    let code = code_of(code.as_str().expect("a code"));
    members.insert("type".into(), format!("urn:till:problem:{}", code.name()).into());
    members.insert("title".into(), code.status().canonical_reason().into());
    members.insert("status".into(), code.status().as_u16().into());
    members.insert("code".into(), code.name().into());
    if is_traced {
        members.insert("trace_id".into(), TRACE_ID.into());
    }
    (name, json!({ "summary": summary, "value": members }))
}

fn code_of(name: &str) -> Code {
    *Code::ALL.iter().find(|code| code.name() == name).unwrap_or_else(|| panic!("no problem has the code {name}"))
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

/// Returns the value with the full addresses of schemas.
fn expanded(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(schema) if name == "$ref" && !schema.starts_with('#') => {
                        *schema = format!("#/components/schemas/{schema}");
                    }
                    _ => *member = expanded(member.take()),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = expanded(item.take())),
        _ => {}
    }
    value
}

/// Returns the value formatted for reading: on one line if it fits.
fn lines(value: &Value, indent: usize, lead: usize) -> String {
    let line = one_line(value);
    if 2 * indent + lead + line.len() <= WIDTH {
        return line;
    }
    match value {
        Value::Object(members) => {
            let member = |(name, member): (_, _)| (String::as_str(name), lines(member, indent + 1, name.len()));
            object(members.iter().map(member).collect(), indent)
        }
        Value::Array(items) => {
            let (inner, outer) = ("  ".repeat(indent + 1), "  ".repeat(indent));
            let items: Vec<_> = items.iter().map(|item| inner.clone() + &lines(item, indent + 1, 0)).collect();
            format!("[\n{}\n{outer}]", items.join(",\n"))
        }
        _ => line,
    }
}

fn object(members: Vec<(&str, String)>, indent: usize) -> String {
    let (inner, outer) = ("  ".repeat(indent + 1), "  ".repeat(indent));
    let members: Vec<_> =
        members.into_iter().map(|(name, member)| format!("{inner}{}: {member}", json!(name))).collect();
    format!("{{\n{}\n{outer}}}", members.join(",\n"))
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let member = |(name, member): (_, _)| format!("{}: {}", json!(name), one_line(member));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
