// Package checkout makes a program a checkout plugin.
package checkout

import (
	"errors"

	"till"
	"till/bindings/till_plugin_checkout"
	"till/bindings/till_plugin_inventory"
	_ "till/bindings/wit_exports"
	"till/exports/export_till_plugin_checkout"
)

type (
	Adjustment = till_plugin_checkout.Adjustment
	Order      = till_plugin_checkout.Order
	Receipt    = till_plugin_checkout.Receipt
)

// What an adjustment does to the total.
const (
	Subtract = till_plugin_checkout.EffectSubtract
	Add      = till_plugin_checkout.EffectAdd
	Included = till_plugin_checkout.EffectIncluded
)

// Handle names the decision; call it in an init function, for a plugin's main isn't run. What decides returns one of
// till's errors, or any other, which then is the interface's `other`.
func Handle(decide func(call till.Span, order Order) (Receipt, error)) {
	export_till_plugin_checkout.Decide = decide
}

// Deduct asks the shop's inventory for what the order's lines sell: all of it or nothing. Once a call. Its error is the
// inventory's; returned as it is, it becomes the checkout's of the same name.
func Deduct(span till.Span, order Order) error {
	lines := make([]till.StockLine, 0, len(order.Lines))
	for _, line := range order.Lines {
		lines = append(lines, till.StockLine{Item: line.Item, Quantity: line.Quantity})
	}
	if taken := till_plugin_inventory.Deduct(span.Context, lines); taken.IsErr() {
		return inventoryError(taken.Err())
	}
	return nil
}

// Subtotal returns what the lines cost before any adjustment, in minor units.
func Subtotal(order Order) uint64 {
	var sum uint64
	for _, line := range order.Lines {
		sum += uint64(line.Quantity) * line.UnitPrice
	}
	return sum
}

func inventoryError(err till_plugin_inventory.InventoryError) error {
	switch err.Tag() {
	case till_plugin_inventory.InventoryErrorOutOfStock:
		return till.OutOfStock(err.OutOfStock())
	case till_plugin_inventory.InventoryErrorRejected:
		return till.Rejected(err.Rejected())
	case till_plugin_inventory.InventoryErrorConflict:
		return till.Conflict(err.Conflict())
	case till_plugin_inventory.InventoryErrorUnavailable:
		return till.Unavailable(err.Unavailable())
	default:
		return errors.New(err.Other())
	}
}
