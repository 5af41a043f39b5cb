// Package till has what a Till plugin in Go needs beside its decision: spans, log lines, settings, waiting, errors, amounts.
//
// Telemetry never fails a call: what the interface has no type for is written as text. What only one track of the interface has
// stands in track_0_1.go and track_0_2.go; the build takes one of them.
package till

import (
	"math"
	"strconv"
	"strings"

	"till/bindings/till_plugin_telemetry"
	"till/bindings/till_plugin_types"
)

type (
	Attribute    = till_plugin_types.Attribute
	TraceContext = till_plugin_types.TraceContext
)

// Levels of a log line.
const (
	Debug = till_plugin_telemetry.LevelDebug
	Info  = till_plugin_telemetry.LevelInfo
	Warn  = till_plugin_telemetry.LevelWarn
	Error = till_plugin_telemetry.LevelError
)

// Span is a span of this call's trace. The one that a call is given is the host's, which ends it; what Child starts is
// yours to end:
//
//	pricing := call.Child("price_cart")
//	defer pricing.End()
type Span struct {
	Context TraceContext
}

// Child starts a span below this one.
func (s Span) Child(name string) Span {
	return Span{till_plugin_telemetry.StartSpan(s.Context, readable(name))}
}

func (s Span) End() {
	till_plugin_telemetry.EndSpan(s.Context)
}

func (s Span) Set(attributes ...Attribute) {
	till_plugin_telemetry.Annotate(s.Context, attributes)
}

func (s Span) Event(name string, attributes ...Attribute) {
	till_plugin_telemetry.AddEvent(s.Context, readable(name), attributes)
}

// Fail marks the span as failed: for what went wrong, not for a business "no".
func (s Span) Fail(message string) {
	till_plugin_telemetry.FailSpan(s.Context, readable(message))
}

// Log writes a log line that carries the span's ids. What is no level is taken for Info.
func (s Span) Log(level uint8, message string, attributes ...Attribute) {
	if level > Error {
		level = Info
	}
	till_plugin_telemetry.Log(s.Context, level, readable(message), attributes)
}

func Text(key, value string) Attribute {
	return Attribute{Key: readable(key), Value: till_plugin_types.MakeAttributeValueText(readable(value))}
}

// Integer makes an attribute of any whole number. What is past the interface's 32 bits becomes a decimal, and what no float64
// has exactly becomes text.
func Integer[T ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64](
	key string, value T,
) Attribute {
	const exact = 1 << 53
	switch {
	case value <= 0 && int64(value) >= math.MinInt32, value > 0 && uint64(value) <= math.MaxInt32:
		return Attribute{Key: readable(key), Value: till_plugin_types.MakeAttributeValueInteger(int32(value))}
	case value <= 0 && int64(value) >= -exact, value > 0 && uint64(value) <= exact:
		return Decimal(key, float64(value))
	case value < 0:
		return Text(key, strconv.FormatInt(int64(value), 10))
	}
	return Text(key, strconv.FormatUint(uint64(value), 10))
}

func Decimal(key string, value float64) Attribute {
	return Attribute{Key: readable(key), Value: till_plugin_types.MakeAttributeValueDecimal(value)}
}

func Flag(key string, value bool) Attribute {
	return Attribute{Key: readable(key), Value: till_plugin_types.MakeAttributeValueFlag(value)}
}

// readable returns the text as the host can read it: Go's may hold any bytes.
func readable(text string) string {
	return strings.ToValidUTF8(text, "\uFFFD")
}

// SettingIsOn returns whether the setting is on: `on`, `true`, `yes` or `1`.
func SettingIsOn(key string) bool {
	switch value, _ := Setting(key); value {
	case "on", "true", "yes", "1":
		return true
	}
	return false
}

// Unavailable says that something which the decision needs doesn't work.
type Unavailable string

func (e Unavailable) Error() string { return string(e) }
