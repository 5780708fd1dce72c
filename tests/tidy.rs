//! The repository's own rules, as tests. Each fact reads the tree as it stands on disk; beside each fact a
//! small made-up tree shows that the check notices the fault it is there for.

#[cfg(test)]
#[path = "tidy/docs.rs"]
mod docs;
#[cfg(test)]
#[path = "tidy/floors.rs"]
mod floors;
#[cfg(test)]
#[path = "tidy/promises.rs"]
mod promises;
#[cfg(test)]
#[path = "tidy/sizes.rs"]
mod sizes;
#[cfg(test)]
#[path = "tidy/tree.rs"]
mod tree;
#[cfg(test)]
#[path = "tidy/words.rs"]
mod words;
