// What an order costs: what its lines say, and the shipping of the setting `shipping` (minor units) if there is one.
package main

import (
	"till"
	"till/checkout"
)

func init() { checkout.Handle(decide) }

func main() {}

func decide(call till.Span, order checkout.Order) (checkout.Receipt, error) {
	receipt, err := price(call, order)
	if err != nil {
		return checkout.Receipt{}, err
	}
	return receipt, checkout.Deduct(call, order)
}

func price(call till.Span, order checkout.Order) (checkout.Receipt, error) {
	pricing := call.Child("price_cart")
	defer pricing.End()
	amount, isSet, err := till.AmountSetting("shipping")
	if err != nil {
		return checkout.Receipt{}, err
	}
	var adjustments []checkout.Adjustment
	if isSet {
		adjustments = append(adjustments, shipping(amount))
	}
	return checkout.ReceiptOf(order, adjustments)
}

func shipping(amount uint64) checkout.Adjustment {
	return checkout.Adjustment{Effect: checkout.Add, Category: "shipping", Label: "Shipping", Amount: amount}
}
