// Package validation makes a program a plugin of the hook validation.
package validation

import (
	"slices"

	"till"
	"till/bindings/till_plugin_facts"
	"till/bindings/till_plugin_types"
	"till/bindings/till_plugin_validation"
	_ "till/bindings/wit_exports"
	"till/exports/export_till_plugin_validation"
)

type (
	Attribute = till_plugin_types.Attribute
	Cart      = till_plugin_types.Cart
	Line      = till_plugin_types.Line
	Product   = till_plugin_facts.Product
	Subject   = till_plugin_validation.Subject
	Violation = till_plugin_validation.Violation
)

// Handle names the decision; call it in an init function, for a plugin's main isn't run. What decides returns a till.Unavailable,
// or any other error, which then is the interface's `other`.
func Handle(decide func(call till.Span, cart Cart) ([]Violation, error)) {
	export_till_plugin_validation.Decide = decide
}

// AboutCart returns a violation of the cart as a whole.
func AboutCart(code, message string) Violation {
	return Violation{Code: code, Message: message, Subject: till_plugin_validation.MakeSubjectCart()}
}

// AboutLine returns a violation of a line.
func AboutLine(line Line, code, message string) Violation {
	return Violation{Code: code, Message: message, Subject: till_plugin_validation.MakeSubjectLine(line.Id)}
}

// AboutAttribute returns a violation of the cart's attribute of that key.
func AboutAttribute(key, code, message string) Violation {
	return Violation{Code: code, Message: message, Subject: till_plugin_validation.MakeSubjectAttribute(key)}
}

// AboutCode returns a violation of an entered code, as typed.
func AboutCode(entered, code, message string) Violation {
	return Violation{Code: code, Message: message, Subject: till_plugin_validation.MakeSubjectCode(entered)}
}

// PiecesOf returns how many pieces of the item all lines have.
func PiecesOf(cart Cart, item string) uint64 {
	var pieces uint64
	for _, line := range cart.Lines {
		if line.Item == item {
			pieces += uint64(line.Quantity)
		}
	}
	return pieces
}

// IsOn returns whether an attribute of that key says yes: true, or the text `on`, `true`, `yes` or `1`. What a client sent is a claim, not
// a fact.
func IsOn(attributes []Attribute, key string) bool {
	return slices.ContainsFunc(attributes, func(attribute Attribute) bool {
		if attribute.Key != key {
			return false
		}
		switch attribute.Value.Tag() {
		case till_plugin_types.AttributeValueFlag:
			return attribute.Value.Flag()
		case till_plugin_types.AttributeValueText:
			return slices.Contains([]string{"on", "true", "yes", "1"}, attribute.Value.Text())
		}
		return false
	})
}

// ProductsOf returns what the catalogue has of the lines' items, in the lines' order, without those that it doesn't know.
func ProductsOf(lines []Line) []Product {
	items := make([]string, len(lines))
	for index, line := range lines {
		items[index] = line.Item
	}
	products := []Product{}
	if len(items) == 0 {
		return products
	}
	for _, product := range till_plugin_facts.Products(items) {
		if product.IsSome() {
			products = append(products, product.Some())
		}
	}
	return products
}
