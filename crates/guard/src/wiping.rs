//! Memory that is overwritten before it goes back.

use std::alloc::{GlobalAlloc, Layout, System};
use std::{ptr, slice};

/// An allocator that overwrites every block with zeros before it goes back to the allocator inside.
///
/// A block that changes its size is always moved by hand: a `realloc` of the allocator inside might move it, and
/// would leave the old one as it was.
#[derive(Debug, Default)]
pub struct Wiping<A = System> {
    inside: A,
}

impl Wiping {
    /// Over the allocator of the system.
    pub const fn system() -> Self {
        Self::over(System)
    }
}

impl<A> Wiping<A> {
    /// Over another allocator.
    pub const fn over(inside: A) -> Self {
        Self { inside }
    }

    /// The allocator inside.
    pub const fn inside(&self) -> &A {
        &self.inside
    }
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait; each block says what it relies on")]
// SAFETY: every block comes from the allocator inside with the layout asked for, and goes back to it with the
// layout it has; between the two nothing is written outside it.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Wiping<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { self.inside.alloc(layout) }
    }

    /// As cheap as inside: fresh pages are zero already, and what was used was wiped.
    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { self.inside.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives up a block of this layout, so that it is ours to write to.
        unsafe { wipe(block, layout.size()) };
        // SAFETY: the block came from the allocator inside with this layout.
        unsafe { self.inside.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `size`, rounded up to the alignment, fits `isize`; the alignment is
        // that of a layout.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the caller promises that `size` is not zero.
        let moved = unsafe { self.inside.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: two blocks apart from each other, each at least as long as what is copied.
            unsafe { ptr::copy_nonoverlapping(block, moved, layout.size().min(size)) };
            // SAFETY: the caller gives up the old block, which came from here with this layout.
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}

/// Overwrites memory for good: the compiler may not take it for a write that nobody reads.
///
/// # Safety
///
/// `block` is valid for writes of `size` bytes, and nobody else reads or writes them.
#[expect(unsafe_code, reason = "raw memory")]
#[inline]
unsafe fn wipe(block: *mut u8, size: usize) {
    // SAFETY: as promised by the caller; a byte has no alignment.
    unsafe { ptr::write_bytes(block, 0, size) };
    // SAFETY: all bytes of the block have been written just now.
    let wiped = unsafe { slice::from_raw_parts(block, size) };
    zeroize::optimization_barrier(wiped);
}

#[cfg(test)]
mod tests;
