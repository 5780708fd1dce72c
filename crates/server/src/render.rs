//! What leaves the edge: outcomes and the frame of pages.

pub(crate) mod outcome;
pub(crate) mod page;
