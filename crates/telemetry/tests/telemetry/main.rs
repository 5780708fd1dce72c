//! What an operator sees, and what nobody may see.

#[cfg(test)]
mod logs;
#[cfg(test)]
mod metrics;
