#![doc = include_str!("../README.md")]

pub mod cascade;
pub mod concept;
pub mod copies;
pub mod copying;
pub mod facts;
pub mod gate;
pub mod identified;
pub mod identity;
pub mod inputs;
pub mod load;
pub mod maps;
pub mod person;
pub mod refs;
mod shape;
