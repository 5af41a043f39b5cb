// Refuses more pieces of an item than the setting `most` says, 10 without it.
package main

import (
	"fmt"

	"till"
	"till/validation"
)

func init() { validation.Handle(decide) }

func main() {}

func decide(_ till.Span, cart validation.Cart) ([]validation.Violation, error) {
	most, isSet, err := till.NumberSetting("most")
	if err != nil {
		return nil, err
	}
	if !isSet {
		most = 10
	}
	violations := []validation.Violation{}
	for _, line := range cart.Lines {
		if validation.PiecesOf(cart, line.Item) > uint64(most) {
			message := fmt.Sprintf("At most %d of %s can be ordered.", most, line.Title)
			violations = append(violations, validation.AboutLine(line, "too-many", message))
		}
	}
	return violations, nil
}
