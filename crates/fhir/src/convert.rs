//! STU3 to R4, by explicit tables.

use tributary_model::FaultClass;

use crate::json::Document;
use crate::reply::{Carried, LossNote};

/// A bundle in R4 and what the conversion has to say about it.
#[derive(Debug)]
pub struct Converted {
    /// The bundle, one entry for every entry of the original, in the same order.
    pub document: Document,
    /// Elements that found no home.
    pub losses: Vec<LossNote>,
    /// Resources carried whole as `Binary`.
    pub carried: Vec<Carried>,
}

/// Converts a scanned STU3 Bundle.
pub fn convert_bundle(_stu3: &Document) -> Result<Converted, FaultClass> {
    Err(FaultClass::Internal)
}
