//! One file per interaction.

pub(crate) mod attachment;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod launch;
pub(crate) mod looked;
pub(crate) mod metadata;
pub(crate) mod openapi;
pub(crate) mod page;
pub(crate) mod parameters;
pub(crate) mod record;
pub(crate) mod sources;
pub(crate) mod summary;
pub(crate) mod tour;
