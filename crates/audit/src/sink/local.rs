//! The log in a local directory.
//!
//! A segment whose write or sync failed is left as it is, apart from an attempt to cut it back, and the
//! records in doubt are given new places in a fresh segment. Its first record tells how long the one before
//! is for certain, so the sequence stays without gaps and a reader knows exactly what belongs to the log.

use std::io;
use std::sync::Arc;

use tributary_model::Clock;

use super::Sink;
use crate::chain::Link;
use crate::error::AuditError;
use crate::event::{Own, own_draft};
use crate::record::{Appended, Draft};
use crate::segment::{EndState, Files, Previous, SegmentFile};

/// Appends to segment files.
pub(crate) struct LocalSink {
    files: Box<dyn Files>,
    clock: Arc<dyn Clock>,
    segment_bytes: u64,
    link: Link,
    /// How the last segment that holds records ended, once it is not the current one.
    previous: Option<Previous>,
    current: Option<Current>,
    /// A file without durable records that could not be removed yet.
    debris: Option<u32>,
}

struct Current {
    number: u32,
    file: Box<dyn SegmentFile>,
    durable: u64,
}

impl LocalSink {
    /// Goes on after `link` and `previous`, always in a fresh segment.
    pub(crate) fn new(
        files: Box<dyn Files>,
        clock: Arc<dyn Clock>,
        segment_bytes: u64,
        (link, previous): (Link, Option<Previous>),
    ) -> Self {
        Self { files, clock, segment_bytes, link, previous, current: None, debris: None }
    }

    fn try_append(&mut self, batch: &[Draft]) -> io::Result<Appended> {
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        let mut link = self.link;
        let mut frames = Vec::new();
        let mut done = Appended::default();
        if current.durable == 0 {
            let first = own_draft(&Own::segment(current.number, self.previous));
            first.frame(&*self.clock, &mut link, &mut frames);
            done.leaves.push(link.prev);
        }
        for draft in batch {
            done.receipts.push(draft.frame(&*self.clock, &mut link, &mut frames));
            done.leaves.push(link.prev);
        }
        if let Err(error) = current.file.append(&frames) {
            self.abandon(current);
            return Err(error);
        }
        current.durable += frames.len() as u64;
        self.link = link;
        done.is_end = current.durable >= self.segment_bytes;
        if done.is_end {
            self.previous = Some(current.end(EndState::Whole));
        } else {
            self.current = Some(current);
        }
        Ok(done)
    }

    fn begin(&mut self) -> io::Result<Current> {
        self.clear()?;
        let number = self.previous.map_or(1, |previous| previous.segment + 1);
        match self.files.create(number) {
            Ok(file) => Ok(Current { number, file, durable: 0 }),
            Err(error) => {
                // Making it may have failed half-way. A file that was there before is not ours to remove.
                self.debris = (error.kind() != io::ErrorKind::AlreadyExists).then_some(number);
                Err(error)
            }
        }
    }

    fn clear(&mut self) -> io::Result<()> {
        let removed = self.debris.map_or(Ok(()), |number| self.files.remove(number));
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => {
                self.debris = None;
                Ok(())
            }
        }
    }

    /// Never touches the file again but to cut it. A cut that fails is harmless: readers stop at the durable
    /// length.
    fn abandon(&mut self, mut current: Current) {
        if current.durable == 0 {
            self.debris = Some(current.number);
            // If it cannot be removed now, the next attempt to begin a segment tries again.
            drop(self.clear());
            return;
        }
        self.previous = Some(current.end(EndState::Suspect));
        drop(current.file.cut(current.durable));
    }
}

impl Current {
    const fn end(&self, state: EndState) -> Previous {
        Previous { segment: self.number, bytes: self.durable, state }
    }
}

impl Sink for LocalSink {
    fn append(&mut self, batch: &[Draft]) -> Result<Appended, AuditError> {
        let was_fresh = self.current.is_none();
        match self.try_append(batch) {
            Err(_) if !was_fresh => Ok(self.try_append(batch)?),
            other => Ok(other?),
        }
    }
}
