#![expect(unsafe_code, reason = "allocators are asked by hand")]

use std::cell::RefCell;

use super::*;

/// Remembers what every block held when it came back.
#[derive(Default)]
struct Looking {
    came_back: RefCell<Vec<Vec<u8>>>,
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Looking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: whoever gives a block back has initialised it, in these tests.
        let held = unsafe { slice::from_raw_parts(block, layout.size()) };
        self.came_back.borrow_mut().push(held.to_vec());
        // SAFETY: handed on.
        unsafe { System.dealloc(block, layout) }
    }
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// A block filled with sevens.
fn filled(allocator: &Wiping<Looking>, layout: Layout) -> *mut u8 {
    // SAFETY: no size here is zero.
    let block = unsafe { allocator.alloc(layout) };
    assert!(!block.is_null());
    // SAFETY: the block is so long.
    unsafe { ptr::write_bytes(block, 7, layout.size()) };
    block
}

#[test]
fn a_block_goes_back_empty() {
    for (size, align) in [(1, 1), (24, 8), (4096, 4096), (1 << 20, 64)] {
        let allocator = Wiping::over(Looking::default());
        let block = filled(&allocator, layout(size, align));
        // SAFETY: it came from here.
        unsafe { allocator.dealloc(block, layout(size, align)) };
        assert_eq!(*allocator.inside().came_back.borrow(), [vec![0; size]]);
    }
}

#[test]
fn a_block_that_grows_or_shrinks_leaves_nothing_behind() {
    for (before, after) in [(64, 65), (64, 4096), (1 << 20, 1 << 21), (4096, 8), (8, 8)] {
        let allocator = Wiping::over(Looking::default());
        let block = filled(&allocator, layout(before, 16));
        // SAFETY: it came from here, and the new size is not zero.
        let moved = unsafe { allocator.realloc(block, layout(before, 16), after) };
        assert_eq!(*allocator.inside().came_back.borrow(), [vec![0; before]]);
        // SAFETY: what was there before has been copied.
        let kept = unsafe { slice::from_raw_parts(moved, before.min(after)) };
        assert!(kept.iter().all(|byte| *byte == 7));
        assert_eq!(moved as usize % 16, 0);
        // SAFETY: so long, and ours.
        unsafe { ptr::write_bytes(moved, 7, after) };
        // SAFETY: it came from here.
        unsafe { allocator.dealloc(moved, layout(after, 16)) };
        assert_eq!(allocator.inside().came_back.borrow().last(), Some(&vec![0; after]));
    }
}

/// Gives out nothing.
struct Exhausted;

// SAFETY: null means that there is no memory.
unsafe impl GlobalAlloc for Exhausted {
    unsafe fn alloc(&self, _layout: Layout) -> *mut u8 {
        ptr::null_mut()
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

#[test]
fn a_block_that_cannot_grow_stays_as_it_was() {
    let mut block = [7_u8; 8];
    let exhausted = Wiping::over(Exhausted);
    // SAFETY: a block of this layout; nothing is given back.
    let moved = unsafe { exhausted.realloc(block.as_mut_ptr(), layout(8, 1), 16) };
    assert!(moved.is_null());
    assert_eq!(block, [7; 8]);
}

#[test]
fn zeroed_memory_is_zero() {
    let allocator = Wiping::system();
    // SAFETY: not of size zero.
    let block = unsafe { allocator.alloc_zeroed(layout(1000, 8)) };
    // SAFETY: so long.
    assert!(unsafe { slice::from_raw_parts(block, 1000) }.iter().all(|byte| *byte == 0));
    // SAFETY: it came from here.
    unsafe { allocator.dealloc(block, layout(1000, 8)) };
}
