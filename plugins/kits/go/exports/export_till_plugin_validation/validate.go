// Package export_till_plugin_validation is what the generated bindings call: it turns Go's errors into the interface's.
package export_till_plugin_validation

import (
	"errors"

	witTypes "go.bytecodealliance.org/pkg/wit/types"

	"till"
	types "till/bindings/till_plugin_types"
	validation "till/bindings/till_plugin_validation"
)

type result = witTypes.Result[[]validation.Violation, types.HookError]

// Decide is the plugin's decision.
var Decide func(call till.Span, cart types.Cart) ([]validation.Violation, error)

func Validate(ctx types.TraceContext, cart types.Cart) result {
	violations, err := Decide(till.Span{Context: ctx}, cart)
	if err == nil {
		return witTypes.Ok[[]validation.Violation, types.HookError](violations)
	}
	var unavailable till.Unavailable
	if errors.As(err, &unavailable) {
		return witTypes.Err[[]validation.Violation](types.MakeHookErrorUnavailable(string(unavailable)))
	}
	return witTypes.Err[[]validation.Violation](types.MakeHookErrorOther(err.Error()))
}
