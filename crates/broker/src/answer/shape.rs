//! What `Debug` shows of requests and answers: their shape and counts, never their content.

use std::fmt;

use super::{Answer, AttachmentAnswer, AttachmentRequest, RelayAnswer, RelayRequest, Subject};
use crate::links::Attachment;

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("verdict", &self.verdict)
            .field("tally", &self.tally)
            .field("audit", &self.audit)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AttachmentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachmentRequest")
            .field("id", &self.id)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AttachmentAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachmentAnswer")
            .field("bytes", &self.body.len())
            .field("audit", &self.audit)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RelayRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayRequest")
            .field("id", &self.id)
            .field("interaction", &self.interaction)
            .field("subject", &self.subject)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patient(_) => "Patient(..)",
            Self::OwnId => "OwnId",
            Self::Attachment(_) => "Attachment(..)",
            Self::Practice => "Practice",
        })
    }
}

impl fmt::Debug for RelayAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayAnswer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .field("audit", &self.audit)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use tributary_model::NhsNumber;

    use super::*;
    use crate::answer::{AttachmentForm, DocumentsRoot};

    const CANARY: &str = "penicillin";

    #[track_caller]
    fn silent(value: &dyn Debug) {
        for text in [format!("{value:?}"), format!("{value:#?}")] {
            assert!(!text.contains(CANARY), "{text}");
        }
    }

    #[test]
    fn nothing_of_a_patient_is_shown() {
        let canary = || CANARY.to_owned();
        let patient = NhsNumber::parse("9990000107").unwrap();
        silent(&Attachment { patient, id: canary() });
        silent(&AttachmentAnswer {
            lease: tributary_model::Lease::default(),
            body: CANARY.into(),
            content_type: canary(),
            audit: "local-1".to_owned(),
        });
        silent(&RelayAnswer {
            lease: tributary_model::Lease::default(),
            status: 200,
            body: CANARY.into(),
            etag: Some(canary()),
            audit: "local-1".to_owned(),
        });
        silent(&Subject::Attachment(canary()));
        assert!(!format!("{:?}", Subject::Patient(patient)).contains(patient.expose()));
        silent(&(AttachmentForm::Native, DocumentsRoot::Theirs));
    }
}
