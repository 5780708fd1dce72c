#![doc = include_str!("../README.md")]

mod counting;
mod hardening;
mod sandbox;
mod wiping;

pub use counting::{Count, Counting};
pub use hardening::{Hardening, NotHardened, NotLocked, Swap, harden, lock_memory, swap, user};
pub use sandbox::{NotConfined, Reach, Sandbox, Wall, confine};
pub use wiping::Wiping;
