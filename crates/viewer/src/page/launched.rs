//! What stands before a record that another system opened, or that is to be printed; and the page for a launch that
//! failed.

use super::{Shows, frame};
use crate::html::Html;
use crate::reader::Reader;

/// The field in which the pages of a visit name it.
pub(crate) const VISIT: &str = "visit";

/// Before the record: for whom it was opened, and that somebody must look whether it is the right person. Its form is
/// that of every button on the page that asks for something more about this patient.
pub fn launched(reader: &Reader, fields: &[(String, String)]) -> String {
    let mut html = Html::default();
    html.raw("<section class=\"callout launched\" aria-label=\"Opened from another system\">\n");
    html.element("<p>Opened from another system for <strong>", reader.name.trim(), "</strong>, ");
    html.raw(reader.role_name()).element(", ", &reader.organisation, ".</p>\n");
    html.raw("<p><strong>Is this the right patient?</strong> Compare name, date of birth and NHS number with the other ");
    html.raw("system before you use what stands here. If you are not the person named here, close this page.</p>\n");
    html.raw("<form id=\"visit\" class=\"again\" method=\"post\" action=\"/record\" data-live>");
    for (field, value) in fields {
        html.element("<input type=\"hidden\" name=\"", field, "\" value=\"").text(value).raw("\">");
    }
    html.raw("<noscript><p>Without script this page does not show what comes later. ");
    html.raw(
        "Ask again to see who has answered since.</p><button class=\"small\">Ask again</button></noscript>",
    );
    html.raw("</form>\n</section>\n");
    html.finish()
}

/// Before a record that is to be printed: that this is on record, and what to do where no window opens.
pub fn printing(reader: &Reader) -> String {
    let mut html = Html::default();
    html.raw("<section class=\"callout again\" aria-label=\"Printing\" data-print>\n");
    html.element(
        "<p>It is on record that <strong>",
        reader.name.trim(),
        "</strong> asked for this page to be printed. ",
    );
    html.raw("Use the print command of your browser if it does not open by itself. ");
    html.raw("Paper is not updated, and whoever finds it can read it.</p>\n</section>\n");
    html.finish()
}

/// Why a page is not opened, as far as it is told: everything of one kind in the same words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// Who asks is not proven.
    Unproven,
    /// They may not ask.
    Forbidden,
    /// It cannot be judged now.
    Later,
    /// What should open it was used, is too old, or never did.
    Spent,
    /// Nobody looks at what would be answered.
    NotAPage,
    /// It says something in its address.
    InTheAddress,
}

impl Unopened {
    /// Every reason.
    pub const ALL: &[Self] =
        &[Self::Unproven, Self::Forbidden, Self::Later, Self::Spent, Self::NotAPage, Self::InTheAddress];

    /// The code in addresses.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unproven => "unproven",
            Self::Forbidden => "forbidden",
            Self::Later => "later",
            Self::Spent => "spent",
            Self::NotAPage => "not-a-page",
            Self::InTheAddress => "in-the-address",
        }
    }

    /// Reads a code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|why| why.code() == code)
    }

    /// What is told of an HTTP status.
    pub const fn of_status(http: u16) -> Self {
        match http {
            403 => Self::Forbidden,
            503 => Self::Later,
            _ => Self::Unproven,
        }
    }

    /// The HTTP status.
    pub const fn http(self) -> u16 {
        match self {
            Self::Unproven => 401,
            Self::Forbidden | Self::NotAPage => 403,
            Self::Later => 503,
            Self::Spent => 404,
            Self::InTheAddress => 400,
        }
    }

    /// The FHIR issue type.
    pub const fn issue(self) -> &'static str {
        match self {
            Self::Unproven => "login",
            Self::Forbidden | Self::NotAPage => "forbidden",
            Self::Later => "transient",
            Self::Spent => "not-found",
            Self::InTheAddress => "invalid",
        }
    }

    /// What is said.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unproven => {
                "Who sends you here is not proven. Nothing was asked and nothing was disclosed. Open the record again \
                 from your own system."
            }
            Self::Forbidden => {
                "Your system may not open this here. Nothing was asked and nothing was disclosed."
            }
            Self::Later => {
                "Who sends you here cannot be proven, or not be put on record, at the moment. No source was asked. Try \
                 again soon."
            }
            Self::Spent => {
                "What opens a record is good once, and for a minute; its pages are good for an hour. Open the record \
                 again from your own system."
            }
            Self::NotAPage => "This address opens a page for a person. It was not used up.",
            Self::InTheAddress => {
                "A launch is posted, and says everything in its body: addresses are remembered by browsers and by \
                 whatever lies between."
            }
        }
    }
}

/// The page of a launch that shows nothing.
pub fn not_launched(why: Unopened) -> String {
    frame("No record was opened - Tributary", Shows::Words, |html| {
        html.raw("<h1>No record was opened</h1>\n");
        html.element(
            "<div class=\"nhsuk-inset-text missing\" role=\"alert\"><p>",
            why.words(),
            "</p></div>\n",
        );
        html.raw("<p>This says nothing about what the record holds.</p>\n");
    })
}
