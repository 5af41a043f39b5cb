// Makes the mistake that the setting `do` names.
package main

import (
	"math"

	"till"
	"till/checkout"
)

func init() { checkout.Handle(decide) }

func main() {}

func decide(call till.Span, order checkout.Order) (checkout.Receipt, error) {
	receipt, err := checkout.ReceiptOf(order, nil)
	if err == nil {
		err = try(call, order, &receipt)
	}
	if err != nil {
		return checkout.Receipt{}, err
	}
	return receipt, checkout.Deduct(call, order)
}

func try(call till.Span, order checkout.Order, receipt *checkout.Receipt) (err error) {
	total := receipt.Total
	mistake, _ := till.Setting("do")
	switch mistake {
	case "telemetry":
		call.Set(till.Integer("cart.total", uint64(1)<<31), till.Integer("huge", uint64(math.MaxUint64)))
		call.Set(till.Integer("low", int64(math.MinInt32)-1), till.Integer("lowest", int64(math.MinInt64)))
		call.Set(till.Decimal("nan", math.NaN()), till.Flag("flag", true), till.Text("text", "not \xff UTF-8"))
		call.Event("not \xff UTF-8", till.Text("key \xff", "value"))
		call.Log(77, "not \xff UTF-8")
		child := call.Child("not \xff UTF-8")
		child.End()
	case "too_large":
		receipt.Total = till.AmountMax + 1
	case "wrapped":
		receipt.Total = total - 5_000
	case "adjustment":
		receipt.Adjustments = []checkout.Adjustment{{Effect: checkout.Included, Amount: total - 5_000}}
	case "effect":
		receipt.Adjustments = []checkout.Adjustment{{Effect: 7, Amount: 1}}
	case "minus":
		_, err = till.Minus(total, 5_000)
	case "rounding":
		_, err = till.PercentOf(total, 7, 9)
	}
	return err
}
