// Package export_till_plugin_validation refuses more than so many pieces of an item, and items that want a confirmation
// without it. Its name is the one that the generated bindings call.
//
//	setting       what it is                                                    without it
//	most          pieces of an item, over all its lines                         any number
//	items         the items that most is about, with commas between             all items
//	tag           the catalogue's tag of items that want a confirmation         age-restricted
//	confirmation  the cart's attribute that confirms: true, yes, on or 1        age_confirmed
package export_till_plugin_validation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	facts "till/bindings/till_plugin_facts"
	settings "till/bindings/till_plugin_settings"
	types "till/bindings/till_plugin_types"
	validation "till/bindings/till_plugin_validation"
)

var known = []string{"most", "items", "tag", "confirmation"}

type result = witTypes.Result[[]validation.Violation, types.HookError]

// Validate returns what is wrong with the cart.
func Validate(_ types.TraceContext, cart types.Cart) result {
	violations, err := violationsOf(cart)
	if err != nil {
		return witTypes.Err[[]validation.Violation](types.MakeHookErrorOther(err.Error()))
	}
	return witTypes.Ok[[]validation.Violation, types.HookError](violations)
}

func violationsOf(cart types.Cart) ([]validation.Violation, error) {
	for _, key := range settings.Keys() {
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("there is no setting %s; there are %s", key, strings.Join(known, ", "))
		}
	}
	violations := []validation.Violation{}
	if text := settings.Get("most"); text.IsSome() {
		most, err := strconv.ParseUint(text.Some(), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("the setting most is %q, wanted a whole number", text.Some())
		}
		violations = tooMany(cart, most, list(setting("items", "")))
	}
	return append(violations, unconfirmed(cart, setting("tag", "age-restricted"), setting("confirmation", "age_confirmed"))...), nil
}

// tooMany returns a violation for each item of which there are too many, about its first line.
func tooMany(cart types.Cart, most uint64, items []string) []validation.Violation {
	pieces := map[string]uint64{}
	for _, line := range cart.Lines {
		pieces[line.Item] += uint64(line.Quantity)
	}
	violations := []validation.Violation{}
	for _, line := range cart.Lines {
		isLimited := len(items) == 0 || slices.Contains(items, line.Item)
		if isLimited && pieces[line.Item] > most {
			message := fmt.Sprintf("At most %d of %s can be ordered.", most, line.Title)
			violations = append(violations, validation.Violation{
				Code: "too-many", Message: message, Subject: validation.MakeSubjectLine(line.Id),
			})
		}
		// The item's other lines have no violation of their own.
		delete(pieces, line.Item)
	}
	return violations
}

// unconfirmed returns the violation of a cart that holds an item with the tag and isn't confirmed. An item that the
// catalogue doesn't know has no tags.
func unconfirmed(cart types.Cart, tag, key string) []validation.Violation {
	isIt := func(attribute types.Attribute) bool { return attribute.Key == key && confirms(attribute.Value) }
	if slices.ContainsFunc(cart.Attributes, isIt) {
		return nil
	}
	items := make([]string, len(cart.Lines))
	for index, line := range cart.Lines {
		items[index] = line.Item
	}
	for _, product := range facts.Products(items) {
		if product.IsSome() && slices.Contains(product.Some().Tags, tag) {
			message := product.Some().Title + " needs a confirmation."
			return []validation.Violation{{
				Code: "unconfirmed", Message: message, Subject: validation.MakeSubjectAttribute(key),
			}}
		}
	}
	return nil
}

func confirms(value types.AttributeValue) bool {
	switch value.Tag() {
	case types.AttributeValueFlag:
		return value.Flag()
	case types.AttributeValueText:
		return slices.Contains([]string{"on", "true", "yes", "1"}, value.Text())
	}
	return false
}

func setting(key, otherwise string) string {
	if text := settings.Get(key); text.IsSome() {
		return text.Some()
	}
	return otherwise
}

func list(text string) []string {
	items := []string{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			items = append(items, part)
		}
	}
	return items
}
