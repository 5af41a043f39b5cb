// Package runtime gives the generated bindings memory that the host may write to.
//
// It stands in for go.bytecodealliance.org/pkg/wit/runtime, with as much of it as plain functions need.
//
// The garbage collector must not run while the host is in the middle of a call (wasmtime #14318: it would wait for
// goroutines that can't go on there), and cabi_realloc is called just then. So it doesn't run by itself: it runs where
// a call has its arguments and the plugin's code hasn't begun. A call that makes 48 MiB of garbage takes the risk rather
// than run out of its memory.
package runtime

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"unsafe"
)

const (
	heapBytesMax    = 48 << 20
	heapBytesToTidy = 4 << 20
)

// What the host wrote and nobody has looked at yet.
var written runtime.Pinner

// What wit-component's adapter of WASI asks for before Go has started: 64 KiB for its own state, once.
var (
	early      [2 * 64 << 10]byte
	earlyUsed  uintptr
	hasStarted = false
)

var heap = []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}

func init() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(heapBytesMax)
	hasStarted = true
}

// Unpin is called once a call's arguments are Go's.
func Unpin() {
	written.Unpin()
	if metrics.Read(heap); heap[0].Value.Uint64() > heapBytesToTidy {
		runtime.GC()
	}
}

// Allocate returns memory that stays where it is until the pinner lets go of it.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	// Words of 8 bytes have every alignment that WIT's types ask for.
	memory := unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
	pinner.Pin(memory)
	return memory
}

//go:wasmexport cabi_realloc
func cabiRealloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if old != nil || oldSize != 0 {
		panic("the host grows a list, which it never does")
	}
	if hasStarted {
		return Allocate(&written, size, align)
	}
	return allocateEarly(align, size)
}

func allocateEarly(align, size uintptr) unsafe.Pointer {
	base := uintptr(unsafe.Pointer(&early))
	first := (base+earlyUsed+align-1)&^(align-1) - base
	earlyUsed = first + size
	if earlyUsed > uintptr(len(early)) {
		panic("more memory is asked for before Go has started than WASI's adapter needs")
	}
	return unsafe.Pointer(&early[first])
}
