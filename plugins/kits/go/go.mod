module till

go 1.27

require (
	go.bytecodealliance.org/pkg v0.2.2
	till/bindings v0.0.0
)
