//! What a demo shows beside its records. A broker that serves in earnest is handed none of it, and then there is no
//! such page.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tributary_model::{NhsNumber, Role};

/// Leads newcomers through a demo.
pub trait Guide: Send + Sync + 'static {
    /// A page of the tour.
    fn tell(&self, ask: TourAsk) -> Pin<Box<dyn Future<Output = TourReply> + Send>>;
    /// In which role the story of a patient is told.
    fn role_of(&self, patient: NhsNumber) -> Option<Role>;
    /// What stands before each record: markup, its words escaped.
    fn bar(&self, patient: NhsNumber, role: Role) -> String;
}

/// What is asked of a guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TourAsk {
    /// The last part of the path; empty for the first page.
    pub step: String,
    /// What was sent with it; nothing where a page is only read.
    pub form: Option<TourForm>,
}

/// The fields of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TourForm {
    /// Whose record is being shown.
    pub patient: Option<NhsNumber>,
    /// In which role.
    pub role: Option<Role>,
    /// The source that is meant.
    pub source: Option<String>,
}

/// What a guide says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TourReply {
    /// A whole page.
    Page(String),
    /// A style sheet.
    Style(&'static str),
    /// A script.
    Script(&'static str),
    /// The form goes on to the record, as it came.
    Record,
    /// There is no such step.
    Unknown,
}

/// The guide of a demo.
#[derive(Clone)]
pub struct Tour(pub(crate) Arc<dyn Guide>);

impl Tour {
    /// A tour with this guide.
    pub fn led_by(guide: impl Guide) -> Self {
        Self(Arc::new(guide))
    }
}

impl fmt::Debug for Tour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tour")
    }
}
