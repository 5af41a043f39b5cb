//go:build !till_0_2

package till

import (
	"fmt"
	"math"
	"time"

	"till/bindings/till_plugin_host"
	"till/bindings/till_plugin_types"
)

type (
	Rejection  = till_plugin_types.Rejection
	StockLevel = till_plugin_types.StockLevel
	StockLine  = till_plugin_types.StockLine
)

// Setting returns the plugin's setting of that name, as the shop's operator wrote it.
func Setting(key string) (value string, isSet bool) {
	setting := till_plugin_host.Setting(key)
	return setting.Some(), setting.IsSome()
}

// Sleep waits without using up the call's CPU limit; its wall limit goes on. Whole milliseconds.
func Sleep(duration time.Duration) {
	till_plugin_host.Sleep(uint32(min(max(duration.Milliseconds(), 0), math.MaxUint32)))
}

// Random returns a random number from 0 up to 1, 1 excluded.
func Random() float64 {
	return till_plugin_host.Random()
}

// OutOfStock says that there is less of an item than asked for.
type OutOfStock till_plugin_types.Shortage

func (e OutOfStock) Error() string {
	return fmt.Sprintf("%d of %s asked for, %d there", e.Requested, e.Item, e.Available)
}

// Rejected says that the same order would be refused again: the code is for programs, the message for the customer.
type Rejected struct{ Code, Message string }

func (e Rejected) Error() string { return e.Message }

// Conflict says that a write at the same time was faster; the same order may succeed a moment later.
type Conflict string

func (e Conflict) Error() string { return string(e) }
