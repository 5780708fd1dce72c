#![doc = include_str!("../README.md")]

mod html;
mod page;

pub use page::{Page, STYLE, failed, record, search};
