// Package export_till_plugin_inventory is what the generated bindings call: it turns Go's errors into the interface's.
package export_till_plugin_inventory

import (
	"errors"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"till"
	inventory "till/bindings/till_plugin_inventory"
	types "till/bindings/till_plugin_types"
)

type result = witTypes.Result[[]types.StockLevel, inventory.InventoryError]

// Decide is the plugin's decision.
var Decide func(call till.Span, lines []till.StockLine) ([]till.StockLevel, error)

func Deduct(ctx types.TraceContext, lines []types.StockLine) result {
	levels, err := Decide(till.Span{Context: ctx}, lines)
	if err != nil {
		return witTypes.Err[[]types.StockLevel](inventoryError(err))
	}
	return witTypes.Ok[[]types.StockLevel, inventory.InventoryError](levels)
}

func inventoryError(err error) inventory.InventoryError {
	var (
		outOfStock  till.OutOfStock
		rejected    till.Rejected
		conflict    till.Conflict
		unavailable till.Unavailable
	)
	switch {
	case errors.As(err, &outOfStock):
		return inventory.MakeInventoryErrorOutOfStock(types.Shortage(outOfStock))
	case errors.As(err, &rejected):
		return inventory.MakeInventoryErrorRejected(types.Rejection(rejected))
	case errors.As(err, &conflict):
		return inventory.MakeInventoryErrorConflict(string(conflict))
	case errors.As(err, &unavailable):
		return inventory.MakeInventoryErrorUnavailable(string(unavailable))
	default:
		return inventory.MakeInventoryErrorOther(err.Error())
	}
}
