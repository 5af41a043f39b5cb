// What an order costs: what its lines say, and the shipping of the setting `shipping` (minor units) if there is one.
package main

import (
	"fmt"
	"strconv"

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
	receipt := checkout.Receipt{Total: checkout.Subtotal(order)}
	text, isSet := till.Setting("shipping")
	if !isSet {
		return receipt, nil
	}
	amount, err := strconv.ParseUint(text, 10, 53)
	if err != nil {
		return checkout.Receipt{}, fmt.Errorf("the setting shipping is no amount: %w", err)
	}
	receipt.Total += amount
	receipt.Adjustments = append(receipt.Adjustments, shipping(amount))
	return receipt, nil
}

func shipping(amount uint64) checkout.Adjustment {
	return checkout.Adjustment{Effect: checkout.Add, Category: "shipping", Label: "Shipping", Amount: amount}
}
