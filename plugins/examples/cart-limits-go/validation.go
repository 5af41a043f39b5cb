// Refuses more than so many pieces of an item, and items that want a confirmation without it.
//
//	setting       what it is                                                    without it
//	most          pieces of an item, over all its lines                         any number
//	items         the items that most is about, with commas between             all items
//	tag           the catalogue's tag of items that want a confirmation         age-restricted
//	confirmation  the cart's attribute that confirms: true, yes, on or 1        age_confirmed
package main

import (
	"fmt"
	"slices"

	"till"
	"till/validation"
)

func init() { validation.Handle(decide) }

func main() {}

func decide(_ till.Span, cart validation.Cart) ([]validation.Violation, error) {
	if err := till.OnlySettings("most", "items", "tag", "confirmation"); err != nil {
		return nil, err
	}
	most, isLimited, err := till.NumberSetting("most")
	if err != nil {
		return nil, err
	}
	violations := []validation.Violation{}
	if isLimited {
		violations = tooMany(cart, most, till.ListSetting("items"))
	}
	tag, key := till.SettingOr("tag", "age-restricted"), till.SettingOr("confirmation", "age_confirmed")
	return append(violations, unconfirmed(cart, tag, key)...), nil
}

// tooMany returns a violation for each item of which there are too many, about its first line.
func tooMany(cart validation.Cart, most uint32, items []string) []validation.Violation {
	violations := []validation.Violation{}
	told := map[string]bool{}
	for _, line := range cart.Lines {
		isLimited := len(items) == 0 || slices.Contains(items, line.Item)
		if isLimited && !told[line.Item] && validation.PiecesOf(cart, line.Item) > uint64(most) {
			message := fmt.Sprintf("At most %d of %s can be ordered.", most, line.Title)
			violations = append(violations, validation.AboutLine(line, "too-many", message))
		}
		told[line.Item] = true
	}
	return violations
}

// unconfirmed returns the violation of a cart that holds an item with the tag and isn't confirmed. An item that the catalogue doesn't
// know has no tags.
func unconfirmed(cart validation.Cart, tag, key string) []validation.Violation {
	if validation.IsOn(cart.Attributes, key) {
		return nil
	}
	for _, product := range validation.ProductsOf(cart.Lines) {
		if slices.Contains(product.Tags, tag) {
			return []validation.Violation{validation.AboutAttribute(key, "unconfirmed", product.Title+" needs a confirmation.")}
		}
	}
	return nil
}
