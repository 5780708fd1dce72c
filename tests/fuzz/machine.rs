//! Recorded and made-up answers, altered in their structure, put through gate, conversion and merge.
//!
//! Nothing here serves: it is the same way an answer takes inside the broker, called in place, thousands of times a
//! second. What must hold of every outcome stands in [`invariants`].

pub mod case;
pub mod chance;
pub mod corpus;
pub mod growth;
pub mod invariants;
pub mod mutation;
pub mod tree;
