#![doc = include_str!("../README.md")]

mod admission;
mod browser;
mod frames;
mod hosts;
mod looks;
mod patience;
mod places;
mod problem;
mod scrub;
mod standing;

pub use admission::{Admission, Admitted, Caller, Claim, Crowded, come_back};
pub use browser::{opens_a_page, reads_pages};
pub use frames::Frames;
pub use hosts::Hosts;
pub use looks::Looks;
pub use patience::{Patience, Turn, Waits};
pub use places::{Place, Places};
pub use problem::{Problem, Spine, retry_seconds};
pub use scrub::{Scrubbed, scrub};
pub use standing::Standing;
