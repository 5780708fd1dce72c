//! The providers as their clients see them: over real sockets.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod fhir;
#[cfg(test)]
mod gp;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod support;
