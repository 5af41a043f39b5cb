package till

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// AmountMax is the largest amount of minor units: every language of a plugin holds it exactly.
const AmountMax = 1<<53 - 1

// NumberError says that a number can't be handed over, or be worked with, and which. Returned by a decision, it becomes the
// interface's `other`.
type NumberError string

func (e NumberError) Error() string { return string(e) }

// Rounding says what becomes of the part of a share that is smaller than a minor unit.
type Rounding uint8

const (
	Down Rounding = iota
	HalfUp
	HalfEven
	Up
)

// Amount returns the number if it is an amount; field is what it is called in the error.
func Amount(field string, value uint64) (uint64, error) {
	if value <= AmountMax {
		return value, nil
	}
	return 0, numberError("%s is %d, wanted a whole number of minor units from 0 to %d", field, value, uint64(AmountMax))
}

// AmountSetting returns the plugin's setting of that name as an amount in minor units.
func AmountSetting(key string) (amount uint64, isSet bool, err error) {
	text, isSet := Setting(key)
	if !isSet {
		return 0, false, nil
	}
	isPlain := len(text) <= 16 && strings.Trim(text, "0123456789") == ""
	amount, err = strconv.ParseUint(text, 10, 64)
	if err != nil || !isPlain || amount > AmountMax {
		return 0, true, numberError("the setting %s is no amount of minor units: %s", key, text)
	}
	return amount, true, nil
}

// Plus adds two amounts.
func Plus(one, other uint64) (uint64, error) {
	if _, err := Amount("the amount", one); err != nil {
		return 0, err
	}
	if _, err := Amount("what is added", other); err != nil {
		return 0, err
	}
	if one+other > AmountMax {
		return 0, numberError("%d plus %d is past %d", one, other, uint64(AmountMax))
	}
	return one + other, nil
}

// Minus subtracts at most one from one: an amount is never below 0, where Go's own minus would make a very large one.
func Minus(one, other uint64) (uint64, error) {
	if _, err := Amount("the amount", one); err != nil {
		return 0, err
	}
	if _, err := Amount("what is subtracted", other); err != nil {
		return 0, err
	}
	if other > one {
		return 0, numberError("%d minus %d is below 0", one, other)
	}
	return one - other, nil
}

// PercentOf takes a whole percentage of an amount. For a fraction of a percent take RatioOf: 7.5 % is the ratio 75 to 1000.
func PercentOf(of, percent uint64, rounding Rounding) (uint64, error) {
	return share(of, "the percent", percent, 100, rounding)
}

// RatioOf takes a share of an amount: 19 to 119 is the tax of 19 % within a price.
func RatioOf(of, numerator, denominator uint64, rounding Rounding) (uint64, error) {
	return share(of, "the numerator", numerator, denominator, rounding)
}

// Split splits an amount over lines by their weights, which are what each costs or any other whole numbers. The parts sum to
// the amount: each gets its share rounded down, and what is left goes in single units to those whose shares were cut most, the
// first line first where they were cut alike. Where all weights are 0, all weigh the same.
func Split(whole uint64, weights []uint64) ([]uint64, error) {
	if _, err := Amount("the amount", whole); err != nil {
		return nil, err
	}
	if len(weights) == 0 && whole > 0 {
		return nil, numberError("there are no weights to split %d by", whole)
	}
	var all uint64
	for index, weight := range weights {
		if _, err := Amount("weights["+strconv.Itoa(index)+"]", weight); err != nil {
			return nil, err
		}
		all += weight
	}
	if all == 0 {
		weights = slices.Repeat([]uint64{1}, len(weights))
		all = uint64(len(weights))
	}
	parts, cut, left := make([]uint64, len(weights)), make([]uint64, len(weights)), whole
	order := make([]int, len(weights))
	for index, weight := range weights {
		// The part is at most the whole, so the division fits.
		high, low := bits.Mul64(whole, weight)
		parts[index], cut[index] = bits.Div64(high, low, all)
		left -= parts[index]
		order[index] = index
	}
	slices.SortStableFunc(order, func(one, other int) int {
		switch {
		case cut[one] > cut[other]:
			return -1
		case cut[one] < cut[other]:
			return 1
		}
		return 0
	})
	for _, index := range order[:left] {
		parts[index]++
	}
	return parts, nil
}

func share(of uint64, field string, numerator, denominator uint64, rounding Rounding) (uint64, error) {
	if _, err := Amount("the amount", of); err != nil {
		return 0, err
	}
	if err := whole(field, numerator, 0); err != nil {
		return 0, err
	}
	if err := whole("the denominator", denominator, 1); err != nil {
		return 0, err
	}
	past := numberError("the share is past %d", uint64(AmountMax))
	high, low := bits.Mul64(of, numerator)
	if high >= denominator {
		return 0, past
	}
	down, rest := bits.Div64(high, low, denominator)
	isUp := false
	switch rounding {
	case Down:
	case HalfUp:
		isUp = 2*rest >= denominator
	case HalfEven:
		isUp = 2*rest > denominator || (2*rest == denominator && down%2 == 1)
	case Up:
		isUp = rest > 0
	default:
		return 0, numberError("the rounding is %d, wanted one of Down, HalfUp, HalfEven, Up", rounding)
	}
	if down > AmountMax || (isUp && down == AmountMax) {
		return 0, past
	}
	if isUp {
		down++
	}
	return down, nil
}

func whole(field string, value, least uint64) error {
	if value < least || value > AmountMax {
		return numberError("%s is %d, wanted a whole number from %d to %d", field, value, least, uint64(AmountMax))
	}
	return nil
}

func numberError(format string, values ...any) error {
	return NumberError(fmt.Sprintf(format, values...))
}
