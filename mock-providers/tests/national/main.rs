//! The national services as their clients see them: over real sockets.

#[cfg(test)]
mod pds;
#[cfg(test)]
mod sds;
#[cfg(test)]
mod support;
#[cfg(test)]
mod token;
