#![doc = include_str!("../README.md")]

pub mod label;
pub mod view;
