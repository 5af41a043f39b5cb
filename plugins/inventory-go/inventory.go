// Till's default inventory in Go: whatever is on hand may be taken.
//
// With the setting `faults` on it also has the demo's two faults: large smartphone orders are slow, large laptop orders
// often meet a deadlock.
package main

import (
	"time"

	"till"
	"till/inventory"
)

func init() { inventory.Handle(deduct) }

func main() {}

func deduct(call till.Span, lines []till.StockLine) ([]till.StockLevel, error) {
	if till.SettingIsOn("faults") {
		if err := simulateFaults(call, lines); err != nil {
			return nil, err
		}
	}
	return inventory.Take(call, lines)
}

// simulateFaults waits for a large smartphone order, and fails 60 % of the large laptop orders.
func simulateFaults(call till.Span, lines []till.StockLine) error {
	if hasLarge(lines, "smartphone", 3) {
		addLatency(call)
	}
	if hasLarge(lines, "laptop", 2) && till.Random() < 0.6 {
		return till.Conflict("Database deadlock conflict during write")
	}
	return nil
}

func hasLarge(lines []till.StockLine, item string, pieces uint32) bool {
	for _, line := range lines {
		if line.Item == item && line.Quantity >= pieces {
			return true
		}
	}
	return false
}

// addLatency waits 1.0 to 2.5 s, and says so on the call's span.
func addLatency(call till.Span) {
	seconds := 1.0 + 1.5*till.Random()
	latency := till.Decimal("simulation.latency_added", seconds)
	call.Set(latency)
	call.Log(till.Info, "simulating a slow inventory", latency)
	waiting := call.Child("simulated_latency")
	defer waiting.End()
	till.Sleep(time.Duration(seconds * float64(time.Second)))
}
