//! What plugins say is wrong with a cart, and where in the client's request that is.

use serde::{Deserialize, Serialize};

use super::{BadOutput, Basket, Fault, LineId, Place, bad_output::count, codes::check_entered};

/// The most violations of one answer.
pub const VIOLATIONS_MAX: usize = 32;

/// What a violation is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    Cart,
    Line(LineId),
    ShippingAddress(String),
    BillingAddress(String),
    Code(String),
    Attribute(String),
}

/// One thing that keeps a cart from being sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    pub code: String,
    pub message: String,
    pub subject: Subject,
}

/// Returns for each violation of one answer the JSON pointer into the client's request (RFC 6901), "" for the whole of
/// it. `entered` are the request's codes.
///
/// # Errors
/// Names the first violation of something that isn't in the cart, or without a code.
pub fn pointers(violations: &[Violation], basket: &Basket, entered: &[String]) -> Result<Vec<String>, BadOutput> {
    count("violations", violations.len(), (0, VIOLATIONS_MAX)).map_err(|fault| Place::Answer.has(fault))?;
    let each = violations.iter().enumerate().map(|(index, violation)| {
        let pointer = violation.pointer(basket, entered);
        pointer.map_err(|fault| Place::Violation(index).has(fault))
    });
    each.collect()
}

impl Violation {
    fn pointer(&self, basket: &Basket, entered: &[String]) -> Result<String, Fault> {
        if self.code.is_empty() {
            return Err(Fault::NoCode);
        }
        Ok(match &self.subject {
            Subject::Cart => String::new(),
            Subject::Line(id) => {
                let line = basket.lines().iter().find(|line| line.id == *id).ok_or(Fault::NoSuchLine(*id))?;
                line.origins.first().map(|origin| format!("/lines/{origin}")).unwrap_or_default()
            }
            Subject::ShippingAddress(field) => format!("/shipping_address/{}", escaped(field)),
            Subject::BillingAddress(field) => format!("/billing_address/{}", escaped(field)),
            Subject::Code(code) => {
                check_entered(code, entered)?;
                let index = entered.iter().position(|known| known == code).unwrap_or(0);
                format!("/codes/{index}")
            }
            Subject::Attribute(key) => format!("/attributes/{}", escaped(key)),
        })
    }
}

/// Returns a name as a part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::{
        samples::{Shop, basket},
        transform::Operation,
    };

    fn violation(subject: Subject) -> Violation {
        Violation { code: "c".into(), message: "M".into(), subject }
    }

    /// A cart whose first two lines are parts of the bundle 4, and to which a plugin has added line 5.
    fn cart() -> Basket {
        let operations = r#"[{"merge": {"parts": [{"line": 2, "quantity": 1}, {"line": 1, "quantity": 1}], "quantity": 1, "item": "s"}},
            {"add": {"item": "gift", "quantity": 1}}]"#;
        let operations: Vec<Operation> = serde_json::from_str(operations).expect("fine operations");
        basket(&[("case", 1, 1), ("cable", 1, 1), ("lamp", 1, 1)]).apply(&operations, &Shop).expect("fine operations")
    }

    #[test]
    fn a_subject_has_a_pointer_into_the_clients_request() {
        let check = |subject: Subject, expected: &str| {
            let codes = ["A".to_owned(), "b/~".to_owned()];
            let pointers = pointers(&[violation(Subject::Cart), violation(subject.clone())], &cart(), &codes);
            assert_eq!(pointers.expect("a fine answer"), ["", expected], "{subject:?}");
        };
        check(Subject::Line(LineId(3)), "/lines/2");
        check(Subject::Line(LineId(4)), "/lines/1");
        check(Subject::Line(LineId(5)), "");
        check(Subject::ShippingAddress("postal_code".into()), "/shipping_address/postal_code");
        check(Subject::BillingAddress("a/b".into()), "/billing_address/a~1b");
        check(Subject::Code("b/~".into()), "/codes/1");
        check(Subject::Attribute("~1/x".into()), "/attributes/~01~1x");
    }

    #[test]
    fn a_violation_of_what_is_not_there_is_refused() {
        let check = |violations: &[Violation], expected: &str| {
            let refused = pointers(violations, &cart(), &["A".into()]).expect_err(expected).to_string();
            assert_eq!(refused, expected);
        };
        let fine = violation(Subject::Cart);
        let used = "violation 2 names line 1, which isn't in the cart";
        check(&[fine.clone(), violation(Subject::Line(LineId(1)))], used);
        check(&[violation(Subject::Code("a".into()))], "violation 1 names the code \"a\", which wasn't entered");
        check(&[Violation { code: String::new(), ..fine.clone() }], "violation 1 has no code");
        check(&vec![fine; 33], "the answer has 33 violations; 0 to 32 are allowed");
    }

    #[test]
    fn violations_are_written_as_the_interface_has_them() {
        let json = r#"[{"code":"c","message":"M","subject":"cart"},{"code":"c","message":"M","subject":{"line":3}},{"code":"c","message":"M","subject":{"shipping-address":"city"}}]"#;
        let read: Vec<Violation> = serde_json::from_str(json).expect("fine violations");
        let address = Subject::ShippingAddress("city".into());
        assert_eq!(read, [Subject::Cart, Subject::Line(LineId(3)), address].map(violation));
        assert_eq!(serde_json::to_string(&read).expect("JSON"), json);
    }
}
