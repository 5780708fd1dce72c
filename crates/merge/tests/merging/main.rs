//! Stories and properties of the merge.

mod kit;
mod properties;
mod stories;
