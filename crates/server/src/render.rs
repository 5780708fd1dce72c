//! What leaves the edge: outcomes and pages.

pub(crate) mod html;
pub(crate) mod outcome;
pub(crate) mod page;
