//! Makes the schemas of `openapi.json`: bodies from their types, single values from `crate::schema`, and the rest from
//! `shared.json`.

use std::collections::BTreeSet;

use schemars::{
    JsonSchema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value, json};

use super::super::{cart, catalogue, inventory, orders, problem, quote};
use crate::{admin, schema};

const LINES: &str = "Several items. The same item may stand in several lines.";

/// Returns all schemas. `written` has the schemas without a type, and additions to those of types.
pub(super) fn all(written: Value) -> Value {
    let mut schemas = Schemas::new();
    schemas.answer::<schema::TillPlugins>();
    schemas.answer::<schema::Traceresponse>();
    schemas.answer::<problem::Document<'_>>();
    schemas.answer::<orders::OrderJson>();
    schemas.answer::<quote::QuoteJson>();
    schemas.answer::<catalogue::ProductJson>();
    schemas.answer::<inventory::Levels>();
    schemas.answer::<inventory::ReleaseAnswer>();
    schemas.request::<schema::IdempotencyKey>();
    schemas.request::<schema::CanaryPercent>();
    schemas.request::<inventory::Release>();
    const BESIDE: &[&str] = &[
        "attributes",
        "expected_total",
        "quote",
        "codes",
        "customer_token",
        "shipping_address",
        "billing_address",
        "locale",
        "delivery",
        "payment",
    ];
    schemas.forms::<cart::Written>(
        "CheckoutRequest",
        &[
            ("CheckoutOfItem", "One item.", &["item", "quantity"], &[&["price"], BESIDE].concat()),
            ("CheckoutOfLines", LINES, &["lines"], BESIDE),
        ],
    );
    schemas.forms::<cart::WrittenDeduct>(
        "DeductRequest",
        &[("DeductLine", "", &["item", "quantity"], &[]), ("DeductOfLines", LINES, &["lines"], &[])],
    );
    admin::document(&mut schemas);
    let mut schemas = schemas.derived();
    merge(&mut schemas, written);
    schemas
}

/// Schemas by name, including those derived on the way.
pub(crate) struct Schemas {
    named: Map<String, Value>,
    answers: SchemaGenerator,
    requests: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let generator = |contract| {
            let settings = SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.contract = contract;
            });
            settings.into_generator()
        };
        Self { named: Map::new(), answers: generator(Contract::Serialize), requests: generator(Contract::Deserialize) }
    }

    /// Adds the type of an answer.
    pub(crate) fn answer<T: JsonSchema>(&mut self) {
        self.answers.subschema_for::<T>();
    }

    /// Adds the type of an answer, under a name of its own.
    pub(crate) fn answer_as<T: JsonSchema>(&mut self, name: &str) {
        let schema = T::json_schema(&mut self.answers).to_value();
        self.insert(name, plain(schema, true));
    }

    /// Adds the type of a request's body.
    pub(crate) fn request<T: JsonSchema>(&mut self) {
        self.requests.subschema_for::<T>();
    }

    /// Adds the type of a request's body that has one of several forms. Each form has a name, a description, required
    /// members and others; the type has the members of all forms.
    pub(crate) fn forms<T: JsonSchema>(&mut self, name: &str, forms: &[(&str, &str, &[&str], &[&str])]) {
        let all = T::json_schema(&mut self.requests).to_value();
        let mut left: BTreeSet<_> = all["properties"].as_object().expect("members").keys().cloned().collect();
        for (form, description, required, others) in forms {
            let members = required.iter().chain(*others).map(|member| {
                left.remove(*member);
                ((*member).to_owned(), all["properties"][member].clone())
            });
            let members: Map<_, _> = members.collect();
            let schema = json!({
                "description": description,
                "type": "object",
                "required": required,
                "additionalProperties": false,
                "properties": members,
            });
            self.insert(form, plain(schema, false));
        }
        assert!(left.is_empty(), "no form of {name} has {left:?}");
        let forms: Vec<_> = forms.iter().map(|(form, ..)| json!({ "$ref": form })).collect();
        self.insert(name, json!({ "oneOf": forms }));
    }

    /// Adds a change of plugins, with the members of `TryJson`: at once, as a canary or as a shadow.
    pub(crate) fn change<T: JsonSchema>(&mut self, name: &str) {
        let change = plain(T::json_schema(&mut self.requests).to_value(), false);
        let case = |description: &str, required: Option<&str>, narrowed: Value| {
            let mut case = change.clone();
            case["description"] = description.into();
            let mut all = case["required"].as_array().cloned().unwrap_or_default();
            all.extend(required.map(Value::from));
            if !all.is_empty() {
                case["required"] = all.into();
            }
            for (member, schema) in narrowed.as_object().expect("members") {
                case["properties"][member] = schema.clone();
            }
            case
        };
        let gates = ["calls_min", "duration_ms", "trap_percent_max", "deadline_percent_max", "p99_percent_max"];
        let gates = [&gates[..], &["outcome_percent_max", "promote", "rollback"]].concat();
        let nothing = json!({ "type": "null" });
        let no_gates = json!({
            "type": "object",
            "additionalProperties": nothing,
            "propertyNames": { "enum": gates },
        });
        let percent = json!({ "$ref": "CanaryPercent" });
        let cases = [
            case("At once.", None, json!({ "canary": nothing, "shadow": { "const": false }, "gates": no_gates })),
            case(
                "As a canary first: in the live one's place on a share of the requests.",
                Some("canary"),
                json!({ "canary": percent, "shadow": { "const": false } }),
            ),
            case(
                "As a shadow first: after the live one on every request, its answers thrown away.",
                Some("shadow"),
                json!({ "canary": nothing, "shadow": { "const": true } }),
            ),
        ];
        self.insert(name, json!({ "oneOf": cases }));
    }

    fn insert(&mut self, name: &str, schema: Value) {
        self.named.insert(name.to_owned(), schema);
    }

    fn derived(mut self) -> Value {
        let answers = self.answers.take_definitions(true).into_iter().map(|(name, schema)| (name, plain(schema, true)));
        let requests = self.requests.take_definitions(true).into_iter();
        let requests = requests.map(|(name, schema)| (name, plain(schema, false)));
        for (name, schema) in answers.chain(requests) {
            let known = self.named.get(&name).is_some_and(|known| *known != schema);
            assert!(!known, "{name} is two schemas");
            self.named.insert(name, schema);
        }
        self.named.into()
    }
}

/// Returns the schema in the form for clients: whole numbers with their range instead of Rust's type, prose without
/// line breaks, and no null if an answer leaves a member out.
fn plain(mut schema: Value, is_answer: bool) -> Value {
    let Value::Object(members) = &mut schema else { return schema };
    members.remove("default");
    members.retain(|name, member| name != "required" || *member != json!([]));
    if let Some(Value::String(description)) = members.get_mut("description") {
        *description = description.replace('\n', " ");
    }
    if members.get("description").is_some_and(|description| description == "") {
        members.remove("description");
    }
    let range = match members.get("format").and_then(Value::as_str) {
        Some("uint64" | "uint") => Some(schema::SAFE_INTEGER_MAX),
        Some("uint32") => Some(u32::MAX.into()),
        _ => None,
    };
    if let Some(maximum) = range {
        members.entry("minimum").or_insert(0.into());
        members.entry("maximum").or_insert(maximum.into());
    }
    if members.get("format").is_some_and(|format| format != "date-time") {
        members.remove("format");
    }
    let required = members.get("required").cloned().unwrap_or_default();
    let is_required = |name: &str| required.as_array().is_some_and(|required| required.iter().any(|one| one == name));
    if let Some(Value::Object(properties)) = members.get_mut("properties") {
        for (name, property) in properties {
            *property = plain(property.take(), is_answer);
            if is_answer && !is_required(name) {
                *property = without_null(property.take());
            }
        }
    }
    for (name, member) in members.iter_mut().filter(|(name, _)| *name != "properties") {
        match member {
            Value::Object(_) => *member = plain(member.take(), is_answer),
            Value::Array(schemas) if matches!(name.as_str(), "anyOf" | "oneOf" | "allOf") => {
                schemas.iter_mut().for_each(|schema| *schema = plain(schema.take(), is_answer));
            }
            _ => {}
        }
    }
    schema
}

fn without_null(mut schema: Value) -> Value {
    if let Value::Object(members) = &mut schema {
        let null = json!({ "type": "null" });
        if let Some(Value::Array(types)) = members.get_mut("type") {
            types.retain(|of| of != "null");
            if let [one] = types.as_slice() {
                let one = one.clone();
                members.insert("type".into(), one);
            }
        }
        if let Some(Value::Array(mut either)) = members.remove("anyOf") {
            either.retain(|one| *one != null);
            match either.as_slice() {
                [Value::Object(one)] => members.extend(one.clone()),
                _ => _ = members.insert("anyOf".into(), either.into()),
            }
        }
    }
    schema
}

/// Merges the other schema into the first; the other's values win.
fn merge(schema: &mut Value, other: Value) {
    match (schema, other) {
        (Value::Object(members), Value::Object(others)) => {
            for (name, other) in others {
                match members.get_mut(&name) {
                    Some(member) => merge(member, other),
                    None => _ = members.insert(name, other),
                }
            }
        }
        (Value::Array(items), Value::Array(others)) => items.extend(others),
        (schema, other) => *schema = other,
    }
}
