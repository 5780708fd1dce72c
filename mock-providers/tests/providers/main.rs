//! The providers as their clients see them: over real sockets.

#[cfg(test)]
mod documents;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fhir;
#[cfg(test)]
mod foundations;
#[cfg(test)]
mod gp;
#[cfg(test)]
mod levels;
#[cfg(test)]
mod line;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod shape;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod support;
#[cfg(test)]
mod wire;
