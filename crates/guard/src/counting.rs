//! Memory that is counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// An allocator that counts what it gives out. For tests and measurements: two atomic additions a block.
#[derive(Debug, Default)]
pub struct Counting<A = System> {
    inside: A,
    live: AtomicUsize,
    given: AtomicUsize,
}

/// What an allocator has given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Bytes given out and not yet given back, as asked for; what the allocator inside adds is not seen.
    pub live_bytes: usize,
    /// How often something was given out, blocks that changed their size among them.
    pub allocations: usize,
}

impl Counting {
    /// Over the allocator of the system.
    pub const fn system() -> Self {
        Self::over(System)
    }
}

impl<A> Counting<A> {
    /// Over another allocator.
    pub const fn over(inside: A) -> Self {
        Self { inside, live: AtomicUsize::new(0), given: AtomicUsize::new(0) }
    }

    /// What has been given out by now, by all threads.
    pub fn count(&self) -> Count {
        Count {
            live_bytes: self.live.load(Ordering::Relaxed),
            allocations: self.given.load(Ordering::Relaxed),
        }
    }

    fn gave(&self, block: *mut u8, bytes: usize) -> *mut u8 {
        if !block.is_null() {
            self.live.fetch_add(bytes, Ordering::Relaxed);
            self.given.fetch_add(1, Ordering::Relaxed);
        }
        block
    }
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait; each block says what it relies on")]
// SAFETY: the allocator inside does the work; what is counted is beside it.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are handed on, here and below.
        self.gave(unsafe { self.inside.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: handed on.
        self.gave(unsafe { self.inside.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: handed on.
        unsafe { self.inside.dealloc(block, layout) };
        self.live.fetch_sub(layout.size(), Ordering::Relaxed);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: handed on.
        let moved = self.gave(unsafe { self.inside.realloc(block, layout, size) }, size);
        if !moved.is_null() {
            self.live.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        moved
    }
}
