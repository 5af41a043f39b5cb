//! An allocator for plugins whose instances are called again.

#![expect(unsafe_code, reason = "an allocator's methods are unsafe by their trait")]

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, which fills what is freed with zeros: when a call has ended, no text of its order is left in the
/// instance's memory.
///
/// ```ignore
/// #[global_allocator]
/// static ALLOCATOR: till_sdk::Wiping = till_sdk::Wiping;
/// ```
#[derive(Debug)]
pub struct Wiping;

// SAFETY: each method passes its arguments on as they are; what is written to was allocated and isn't used any more. The
// trait's own `realloc` allocates, copies and frees with these methods.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block has that many bytes, and is the caller's until it is freed below.
        unsafe { block.write_bytes(0, layout.size()) };
        // The compiler may drop writes to what is freed next.
        std::hint::black_box(block);
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}
