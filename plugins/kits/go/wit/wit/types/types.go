// Package wit_types has what the generated bindings take for WIT's option and result.
//
// It stands in for go.bytecodealliance.org/pkg/wit/types, with as much of it as the interface needs.
package wit_types

// Tags of an option.
const (
	OptionNone = 0
	OptionSome = 1
)

// Option is a value that may be absent.
type Option[T any] struct {
	tag   uint8
	value T
}

func None[T any]() Option[T] { return Option[T]{} }

func Some[T any](value T) Option[T] { return Option[T]{OptionSome, value} }

func (o Option[T]) Tag() uint8 { return o.tag }

func (o Option[T]) IsSome() bool { return o.tag == OptionSome }

// Some returns the value, the type's zero if there is none.
func (o Option[T]) Some() T { return o.value }

// Tags of a result.
const (
	ResultOk  = 0
	ResultErr = 1
)

// Result is a value or an error.
type Result[T, E any] struct {
	tag uint8
	ok  T
	err E
}

func Ok[T, E any](value T) Result[T, E] { return Result[T, E]{tag: ResultOk, ok: value} }

func Err[T, E any](err E) Result[T, E] { return Result[T, E]{tag: ResultErr, err: err} }

func (r Result[T, E]) Tag() uint8 { return r.tag }

func (r Result[T, E]) IsErr() bool { return r.tag == ResultErr }

func (r Result[T, E]) Ok() T { return r.ok }

func (r Result[T, E]) Err() E { return r.err }
