// Package inventory makes a program an inventory plugin.
package inventory

import (
	"till"
	"till/bindings/till_plugin_stock"
	_ "till/bindings/wit_exports"
	"till/exports/export_till_plugin_inventory"
)

// Handle names the decision; call it in an init function, for a plugin's main isn't run. What decides returns one of
// till's errors, or any other, which then is the interface's `other`.
func Handle(deduct func(call till.Span, lines []till.StockLine) ([]till.StockLevel, error)) {
	export_till_plugin_inventory.Decide = deduct
}

// Take takes the lines out of the stock, all of them or none, and returns what is left. Once a call. Its error is a
// till.OutOfStock.
func Take(span till.Span, lines []till.StockLine) ([]till.StockLevel, error) {
	taken := till_plugin_stock.Take(span.Context, lines)
	if taken.IsErr() {
		return nil, till.OutOfStock(taken.Err())
	}
	return taken.Ok(), nil
}

// Level returns how many pieces are on hand now, if the shop knows the item: a hint, for others take from it too.
func Level(span till.Span, item string) (pieces uint32, isKnown bool) {
	level := till_plugin_stock.Level(span.Context, item)
	return level.Some(), level.IsSome()
}
