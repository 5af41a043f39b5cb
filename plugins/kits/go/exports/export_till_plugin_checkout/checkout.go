// Package export_till_plugin_checkout is what the generated bindings call: it turns Go's errors into the interface's.
package export_till_plugin_checkout

import (
	"errors"
	"strconv"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"till"
	checkout "till/bindings/till_plugin_checkout"
	types "till/bindings/till_plugin_types"
)

type result = witTypes.Result[checkout.Receipt, checkout.CheckoutError]

// Decide is the plugin's decision.
var Decide func(call till.Span, order checkout.Order) (checkout.Receipt, error)

func Checkout(ctx types.TraceContext, order checkout.Order) result {
	receipt, err := Decide(till.Span{Context: ctx}, order)
	if err == nil {
		err = check(receipt)
	}
	if err != nil {
		return witTypes.Err[checkout.Receipt](checkoutError(err))
	}
	return witTypes.Ok[checkout.Receipt, checkout.CheckoutError](receipt)
}

// check says whether each amount is one: no wrong number is handed over.
func check(receipt checkout.Receipt) error {
	for index, adjustment := range receipt.Adjustments {
		field := "receipt.adjustments[" + strconv.Itoa(index) + "]"
		if adjustment.Effect > checkout.EffectIncluded {
			return till.NumberError(field + ".effect is " + strconv.Itoa(int(adjustment.Effect)) + ", wanted Subtract, Add or Included")
		}
		if _, err := till.Amount(field+".amount", adjustment.Amount); err != nil {
			return err
		}
	}
	_, err := till.Amount("receipt.total", receipt.Total)
	return err
}

func checkoutError(err error) checkout.CheckoutError {
	var (
		outOfStock  till.OutOfStock
		rejected    till.Rejected
		conflict    till.Conflict
		unavailable till.Unavailable
	)
	switch {
	case errors.As(err, &outOfStock):
		return checkout.MakeCheckoutErrorOutOfStock(types.Shortage(outOfStock))
	case errors.As(err, &rejected):
		return checkout.MakeCheckoutErrorRejected(types.Rejection(rejected))
	case errors.As(err, &conflict):
		return checkout.MakeCheckoutErrorConflict(string(conflict))
	case errors.As(err, &unavailable):
		return checkout.MakeCheckoutErrorUnavailable(string(unavailable))
	default:
		return checkout.MakeCheckoutErrorOther(err.Error())
	}
}
