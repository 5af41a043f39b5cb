// Package checkout makes a program a checkout plugin.
package checkout

import (
	"errors"
	"strconv"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"till"
	"till/bindings/till_plugin_checkout"
	"till/bindings/till_plugin_inventory"
	"till/bindings/till_plugin_types"
	_ "till/bindings/wit_exports"
	"till/exports/export_till_plugin_checkout"
)

type (
	Adjustment = till_plugin_checkout.Adjustment
	Line       = till_plugin_types.Line
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

// LineCost returns what the line costs before any adjustment: quantity times unit price. The host has checked that it is an
// amount.
func LineCost(line Line) uint64 {
	return uint64(line.Quantity) * line.UnitPrice
}

// Subtotal returns what the lines cost before any adjustment, in minor units. The host has checked that it is an amount.
func Subtotal(order Order) uint64 {
	var sum uint64
	for _, line := range order.Lines {
		sum += LineCost(line)
	}
	return sum
}

// ReceiptOf returns the receipt of an order with these adjustments: its total is what the lines cost, with what is added and
// without what is subtracted.
func ReceiptOf(order Order, adjustments []Adjustment) (Receipt, error) {
	sum := func(effect uint8, sum uint64) (uint64, error) {
		for index, adjustment := range adjustments {
			field := "receipt.adjustments[" + strconv.Itoa(index) + "].amount"
			amount, err := till.Amount(field, adjustment.Amount)
			if err == nil && adjustment.Effect == effect {
				sum, err = till.Plus(sum, amount)
			}
			if err != nil {
				return 0, err
			}
		}
		return sum, nil
	}
	added, err := sum(Add, 0)
	if err != nil {
		return Receipt{}, err
	}
	subtracted, err := sum(Subtract, 0)
	if err != nil {
		return Receipt{}, err
	}
	before, err := till.Plus(Subtotal(order), added)
	if err != nil {
		return Receipt{}, err
	}
	total, err := till.Minus(before, subtracted)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{Total: total, Adjustments: adjustments}, nil
}

// OnLine returns the index of an order's line as an adjustment has it.
func OnLine(index int) witTypes.Option[uint32] {
	return witTypes.Some(uint32(index))
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
