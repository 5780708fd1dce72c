//! The record in its output shapes.

pub(crate) mod lines;
mod lists;
mod outcome;
mod patient;
mod provenance;
mod r4;
mod statement;
mod stu3;
pub(crate) mod summary;
mod view;

pub(crate) use lists::key_hash as line_name;
pub(crate) use statement::Origin;
