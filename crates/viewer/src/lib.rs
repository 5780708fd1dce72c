#![doc = include_str!("../README.md")]

mod assets;
mod growing;
mod html;
pub mod log;
mod page;
mod reader;
mod words;

pub use assets::{PERMISSIONS, STYLE, asset, policy, script};
pub use growing::{Ending, Growing};
pub use page::{
    Looked, Page, Unopened, failed, launched, not_launched, printing, record, search, signed_out,
};
pub use reader::Reader;
