// A checkout that prices a cart, in Go: 10 % off what an item's lines cost from 3 pieces on, rounded down, and what the
// settings say: `surcharge` (minor units), `voucher` (minor units, split over the lines by what they cost), and the tax within
// the prices: `tax_percent`, rounded as `tax_rounding` says.
package main

import (
	"fmt"

	"till"
	"till/checkout"
)

const (
	piecesForDiscount = 3
	discountPercent   = 10
)

var roundings = map[string]till.Rounding{"down": till.Down, "half-up": till.HalfUp, "half-even": till.HalfEven, "up": till.Up}

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
	span := call.Child("price_cart")
	defer span.End()
	var adjustments []checkout.Adjustment
	for _, adjust := range []func(checkout.Order) ([]checkout.Adjustment, error){discounts, surcharges, vouchers} {
		more, err := adjust(order)
		if err != nil {
			return checkout.Receipt{}, err
		}
		adjustments = append(adjustments, more...)
	}
	receipt, err := checkout.ReceiptOf(order, adjustments)
	if err != nil {
		return checkout.Receipt{}, err
	}
	span.Set(till.Integer("cart.total", receipt.Total))
	taxes, err := taxes(receipt.Total)
	receipt.Adjustments = append(receipt.Adjustments, taxes...)
	return receipt, err
}

// discounts returns one for each item of which there are enough, in the order of their first lines.
func discounts(order checkout.Order) ([]checkout.Adjustment, error) {
	var items []string
	lines := map[string][]int{}
	for index, line := range order.Lines {
		if len(lines[line.Item]) == 0 {
			items = append(items, line.Item)
		}
		lines[line.Item] = append(lines[line.Item], index)
	}
	var found []checkout.Adjustment
	for _, item := range items {
		discount, isEnough, err := discountOf(order, lines[item])
		if err != nil {
			return nil, err
		}
		if isEnough {
			found = append(found, discount)
		}
	}
	return found, nil
}

func discountOf(order checkout.Order, indices []int) (discount checkout.Adjustment, isEnough bool, err error) {
	var pieces uint32
	var cost uint64
	for _, index := range indices {
		pieces += order.Lines[index].Quantity
		if cost, err = till.Plus(cost, checkout.LineCost(order.Lines[index])); err != nil {
			return checkout.Adjustment{}, false, err
		}
	}
	if pieces < piecesForDiscount {
		return checkout.Adjustment{}, false, nil
	}
	amount, err := till.PercentOf(cost, discountPercent, till.Down)
	label := fmt.Sprintf("%d %% off from %d pieces", discountPercent, piecesForDiscount)
	discount = checkout.Adjustment{Effect: checkout.Subtract, Category: "discount", Label: label, Amount: amount}
	if len(indices) == 1 {
		discount.Line = checkout.OnLine(indices[0])
	}
	return discount, true, err
}

func surcharges(checkout.Order) ([]checkout.Adjustment, error) {
	amount, isSet, err := till.AmountSetting("surcharge")
	if err != nil || !isSet {
		return nil, err
	}
	surcharge := checkout.Adjustment{Effect: checkout.Add, Category: "surcharge", Label: "Surcharge", Amount: amount}
	return []checkout.Adjustment{surcharge}, nil
}

// vouchers returns one for each line.
func vouchers(order checkout.Order) ([]checkout.Adjustment, error) {
	amount, isSet, err := till.AmountSetting("voucher")
	if err != nil || !isSet {
		return nil, err
	}
	var costs []uint64
	for _, line := range order.Lines {
		costs = append(costs, checkout.LineCost(line))
	}
	parts, err := till.Split(amount, costs)
	var found []checkout.Adjustment
	for index, part := range parts {
		voucher := checkout.Adjustment{Effect: checkout.Subtract, Category: "voucher", Label: "Voucher", Amount: part}
		voucher.Line = checkout.OnLine(index)
		found = append(found, voucher)
	}
	return found, err
}

func taxes(total uint64) ([]checkout.Adjustment, error) {
	percent, isSet, err := till.AmountSetting("tax_percent")
	if err != nil || !isSet {
		return nil, err
	}
	by, err := till.Plus(100, percent)
	if err != nil {
		return nil, err
	}
	rounding := till.HalfUp
	if text, isSet := till.Setting("tax_rounding"); isSet {
		rounding = roundings[text]
	}
	amount, err := till.RatioOf(total, percent, by, rounding)
	if err != nil {
		return nil, err
	}
	net, err := till.Minus(total, amount)
	label := fmt.Sprintf("%d %% of %d", percent, net)
	return []checkout.Adjustment{{Effect: checkout.Included, Category: "tax", Label: label, Amount: amount}}, err
}
