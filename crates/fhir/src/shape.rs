//! What `Debug` shows of values that may hold clinical text: their shape and counts, never their content.

use std::fmt;

use crate::bundle::{Edit, NextLink};
use crate::draft::{Draft, Fields};
use crate::json::{Document, Sheet};
use crate::reply::{Carried, LossNote, Passed, Relayed, Reply};
use crate::write::Writer;

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("bytes", &self.text().len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sheet").finish_non_exhaustive()
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw(json) => f.debug_tuple("Raw").field(json).finish(),
            Self::Text(text) => f.debug_struct("Text").field("bytes", &text.len()).finish(),
            Self::Object(fields) => f.debug_tuple("Object").field(fields).finish(),
            Self::Array(items) => f.debug_tuple("Array").field(items).finish(),
        }
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").field("count", &self.len()).finish()
    }
}

impl fmt::Debug for NextLink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Page(_) => "Page(..)",
            Self::Unreadable => "Unreadable",
        })
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edit").finish_non_exhaustive()
    }
}

impl fmt::Debug for LossNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LossNote").field("kept_as", &self.kept_as).finish_non_exhaustive()
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried").finish_non_exhaustive()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("documents", &self.documents)
            .field("asked", &self.asked)
            .field("states", &self.states)
            .field("notices", &self.notices.len())
            .field("losses", &self.losses.len())
            .field("carried", &self.carried.len())
            .field("converted", &self.converted)
            .field("truncated", &self.truncated)
            .field("bytes", &self.bytes)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Relayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relayed")
            .field("status", &self.status)
            .field("attempts", &self.attempts)
            .field("said", &self.said)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document(document) => f.debug_tuple("Document").field(document).finish(),
            Self::Refusal(body, fault) => {
                f.debug_struct("Refusal").field("bytes", &body.len()).field("fault", fault).finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use tributary_model::{FaultClass, SourceFault};

    use super::*;
    use crate::Bundle;
    use crate::json::Limits;
    use crate::reply::{Attached, KeptAs, Notice};

    const CANARY: &str = "penicillin";

    #[track_caller]
    fn silent(value: &dyn Debug) {
        for text in [format!("{value:?}"), format!("{value:#?}")] {
            assert!(!text.contains(CANARY), "{text}");
        }
    }

    fn document() -> Document {
        let next = format!(r#"{{"relation":"next","url":"http://s/{CANARY}"}}"#);
        let text = format!(
            r#"{{"resourceType":"Bundle","{CANARY}":"{CANARY}","link":[{next}],
            "entry":[{{"fullUrl":"urn:{CANARY}","resource":{{"resourceType":"Flag","id":"{CANARY}"}}}}]}}"#
        );
        Document::scan(text.into_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn nothing_a_source_wrote_is_shown() {
        let document = document();
        let bundle = Bundle::of(&document).unwrap();
        silent(&document);
        silent(&bundle);
        silent(&bundle.entries().collect::<Vec<_>>());
        silent(&bundle.next_link());
        silent(&Edit::id(&document, CANARY));
        silent(&Draft::Object(Fields::open(document.root())));
        silent(&Draft::Array(vec![Draft::string(CANARY), Draft::Raw(document.root())]));
        let mut writer = Writer::default();
        writer.string(CANARY);
        silent(&writer);
        let mut sheet = Sheet::default();
        sheet.string(CANARY);
        silent(&sheet);
        let statement = format!("Flag/{CANARY}");
        silent(&Reply {
            documents: vec![self::document()],
            notices: Vec::<Notice>::new(),
            losses: vec![LossNote { statement, path: CANARY.to_owned(), kept_as: KeptAs::Extension }],
            carried: vec![Carried { resource_type: CANARY.to_owned(), binary_id: CANARY.to_owned() }],
            ..Reply::default()
        });
        silent(&LossNote {
            statement: CANARY.to_owned(),
            path: CANARY.to_owned(),
            kept_as: KeptAs::Extension,
        });
        silent(&Carried { resource_type: CANARY.to_owned(), binary_id: CANARY.to_owned() });
        let relayed = |said| Relayed {
            status: 200,
            etag: Some(CANARY.to_owned()),
            attempts: 1,
            said,
            held: tributary_model::Lease::default(),
        };
        silent(&relayed(Passed::Refusal(CANARY.into(), SourceFault::new(FaultClass::Shape))));
        silent(&Attached {
            document: self::document(),
            attempts: 1,
            held: tributary_model::Lease::default(),
        });
        silent(&relayed(Passed::Document(document)));
    }
}
