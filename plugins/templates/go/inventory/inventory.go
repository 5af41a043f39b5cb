// Whatever is on hand may be taken, but for the item that the setting `blocked` names.
package main

import (
	"till"
	"till/inventory"
)

func init() { inventory.Handle(deduct) }

func main() {}

func deduct(call till.Span, lines []till.StockLine) ([]till.StockLevel, error) {
	if err := check(call, lines); err != nil {
		return nil, err
	}
	return inventory.Take(call, lines)
}

func check(call till.Span, lines []till.StockLine) error {
	checking := call.Child("check_lines")
	defer checking.End()
	blocked, isSet := till.Setting("blocked")
	for _, line := range lines {
		if isSet && line.Item == blocked {
			return till.Rejected{Code: "blocked", Message: blocked + " isn't sold at the moment"}
		}
	}
	return nil
}
