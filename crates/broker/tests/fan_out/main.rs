//! The conductor between stubs: who is asked when, what is awaited, what is on record by then.

#[cfg(test)]
mod caching;
#[cfg(test)]
mod crowded;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod gathering;
#[cfg(test)]
mod growing;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod permitted;
#[cfg(test)]
mod permitting;
#[cfg(test)]
mod quiet;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod timing;
