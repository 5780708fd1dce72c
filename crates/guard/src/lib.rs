#![doc = include_str!("../README.md")]

mod counting;
mod hardening;
mod wiping;

pub use counting::{Count, Counting};
pub use hardening::{Hardening, NotHardened, NotLocked, Swap, harden, lock_memory, swap};
pub use wiping::Wiping;
