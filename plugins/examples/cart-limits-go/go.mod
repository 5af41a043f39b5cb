module cart-limits-go

go 1.27

require till v0.0.0

require (
	go.bytecodealliance.org/pkg v0.2.2 // indirect
	till/bindings v0.0.0 // indirect
)

replace (
	go.bytecodealliance.org/pkg => ../../kits/go/wit
	till => ../../kits/go
	till/bindings => ./build/bindings
)
