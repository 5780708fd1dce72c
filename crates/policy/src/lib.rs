#![doc = include_str!("../README.md")]

mod decide;

pub use decide::decide;
