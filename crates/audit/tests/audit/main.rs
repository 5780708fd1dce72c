//! What the log promises, tried from outside.

#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tampering;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod witnessing;
