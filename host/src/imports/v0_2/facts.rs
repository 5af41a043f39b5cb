//! `till:plugin/facts`: what the shop knows beside the cart. Every function answers the same for the whole request.

use crate::{
    facts::{ASKED_MAX, Address, Customer, Facts, FieldValue, Owner, Product},
    imports::{
        HostCall, Misuse, NoDoor,
        bindings::v0_2::till::plugin::{facts, types::AttributeValue},
    },
};

impl HostCall<'_> {
    fn facts(&self) -> Result<&Facts, NoDoor> {
        self.facts.as_ref().ok_or(NoDoor("facts"))
    }
}

impl facts::Host for HostCall<'_> {
    fn buyer(&mut self) -> wasmtime::Result<Option<facts::Customer>> {
        self.budget.host_call(0)?;
        Ok(self.facts()?.buyer().as_deref().map(customer))
    }

    fn ship_to(&mut self) -> wasmtime::Result<Option<facts::Address>> {
        self.budget.host_call(0)?;
        Ok(self.facts()?.ship_to().as_deref().map(address))
    }

    fn bill_to(&mut self) -> wasmtime::Result<Option<facts::Address>> {
        self.budget.host_call(0)?;
        Ok(self.facts()?.bill_to().as_deref().map(address))
    }

    fn locale(&mut self) -> wasmtime::Result<Option<String>> {
        self.budget.host_call(0)?;
        Ok(self.facts()?.locale().map(|locale| locale.as_str().to_owned()))
    }

    fn products(&mut self, items: Vec<String>) -> wasmtime::Result<Vec<Option<facts::Product>>> {
        self.budget.host_call(items.iter().map(String::len).sum())?;
        check(items.len())?;
        Ok(self.facts()?.products(&items).iter().map(|known| known.as_deref().map(product)).collect())
    }

    /// A text that is no key has no field anywhere.
    fn fields(&mut self, owners: Vec<facts::Owner>, key: String) -> wasmtime::Result<Vec<Option<AttributeValue>>> {
        self.budget.host_call(key.len())?;
        check(owners.len())?;
        let owners: Vec<_> = owners.into_iter().map(owner).collect();
        let found = self.facts()?.fields(&owners, &key);
        Ok(found.map_or_else(|_| vec![None; owners.len()], |found| found.into_iter().map(|of| of.map(value)).collect()))
    }
}

fn check(asked: usize) -> Result<(), Misuse> {
    if asked > ASKED_MAX { Err(Misuse::Asked { asked, max: ASKED_MAX }) } else { Ok(()) }
}

fn customer(of: &Customer) -> facts::Customer {
    let Customer { id, email, tags, orders, company, .. } = of;
    facts::Customer {
        id: id.clone(),
        email: email.clone(),
        tags: tags.clone(),
        orders: *orders,
        company: company.clone(),
    }
}

fn address(of: &Address) -> facts::Address {
    let Address { name, company, lines, city, province_code, postal_code, country_code, phone } = of.clone();
    facts::Address { name, company, lines, city, province_code, postal_code, country_code, phone }
}

fn product(of: &Product) -> facts::Product {
    facts::Product {
        id: of.item.as_str().to_owned(),
        title: of.title.to_string(),
        price: of.price.map(|price| price.amount()),
        tags: of.tags.iter().map(ToString::to_string).collect(),
        weight_grams: of.weight_grams,
        needs_shipping: of.needs_shipping,
        tax_category: of.tax_category.as_ref().map(ToString::to_string),
    }
}

fn owner(of: facts::Owner) -> Owner {
    match of {
        facts::Owner::Shop => Owner::Shop,
        facts::Owner::Customer => Owner::Customer,
        facts::Owner::Product(item) => Owner::Product(item),
    }
}

fn value(of: FieldValue) -> AttributeValue {
    match of {
        FieldValue::Text(text) => AttributeValue::Text(text.to_string()),
        FieldValue::Integer(number) => AttributeValue::Integer(number),
        FieldValue::Decimal(number) => AttributeValue::Decimal(number),
        FieldValue::Flag(flag) => AttributeValue::Flag(flag),
        FieldValue::Json(text) => AttributeValue::Json(text.to_string()),
    }
}
