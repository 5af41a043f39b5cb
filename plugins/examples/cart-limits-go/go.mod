module cart-limits-go

go 1.27

require till/bindings v0.0.0

require (
	go.bytecodealliance.org/pkg v0.2.2 // indirect
	till/exports v0.0.0 // indirect
)

replace (
	go.bytecodealliance.org/pkg => ../../kits/go/wit
	till/bindings => ./build/bindings
	till/exports => ./exports
)
