#![doc = include_str!("../README.md")]

mod admission;
mod frames;
mod patience;
mod places;
mod scrub;

pub use admission::{Admission, Admitted, Caller, Claim, Crowded, come_back};
pub use frames::Frames;
pub use patience::{Patience, Turn, Waits};
pub use places::{Place, Places};
pub use scrub::{Scrubbed, scrub};
