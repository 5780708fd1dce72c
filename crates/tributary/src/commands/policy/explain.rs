//! `tributary policy explain`: why, by the names of the rules.

use std::io::{self, Write};

use clap::Args;
use tributary_model::{
    Decision, Facts, OdsCode, Purpose, Relationship, Role, Section, SectionSet, Shown, SourceKind,
};
use tributary_policy::{Effect, Table};

use super::Which;
use crate::commands::{BAD_CONFIGURATION, Done};

/// Who asks for what.
#[derive(Debug, Args)]
pub(super) struct Question {
    /// The role, as in the policy.
    #[arg(long, value_parser = role)]
    pub(super) role: Role,
    /// Why the record is asked for.
    #[arg(long, value_parser = purpose, default_value = "directcare")]
    pub(super) purpose: Purpose,
    /// The organisation's ODS code.
    #[arg(long, value_name = "ODS", value_parser = OdsCode::parse, default_value = "ZZ999")]
    pub(super) organisation: OdsCode,
    /// What shows that the requester has to do with the patient.
    #[arg(long, value_parser = relationship, default_value = "unknown")]
    pub(super) relationship: Relationship,
    /// With the glass broken.
    #[arg(long)]
    pub(super) break_glass: bool,
}

/// Arguments of `policy explain`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    question: Question,
    /// Only of sources of this kind.
    #[arg(long, value_parser = kind)]
    source_kind: Option<SourceKind>,
    /// Only this section.
    #[arg(long, value_parser = section)]
    section: Option<Section>,
}

fn role(text: &str) -> Result<Role, &'static str> {
    Role::from_code(text).ok_or("is no role that is known")
}

fn purpose(text: &str) -> Result<Purpose, &'static str> {
    Purpose::from_code(text).ok_or("is no purpose that is known")
}

fn relationship(text: &str) -> Result<Relationship, &'static str> {
    Relationship::from_code(text).ok_or("is not unknown, asserted or evidenced")
}

fn kind(text: &str) -> Result<SourceKind, &'static str> {
    SourceKind::from_code(text).ok_or("is no kind of source that is known")
}

fn section(text: &str) -> Result<Section, &'static str> {
    Section::from_code(text).ok_or("is no section that is known")
}

impl Question {
    /// The facts of a request whose identity is believed: by a demo for its own requester, by proof for others.
    pub(super) fn facts(&self, sections: SectionSet) -> Facts {
        Facts {
            role: Some(self.role),
            organisation: Some(self.organisation.clone()),
            is_proven: false,
            purpose: Some(self.purpose),
            relationship: self.relationship,
            sections,
            break_glass: self.break_glass,
            demo: true,
        }
    }
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Done {
    let Some(policy) = arguments.which.policy() else { return Ok(BAD_CONFIGURATION) };
    writeln!(out, "policy {}", policy.digest)?;
    writeln!(out, "(for a requester who is proven; nobody else sees anything but in a demo)")?;
    let kinds =
        SourceKind::ALL.iter().copied().filter(|one| arguments.source_kind.is_none_or(|only| only == *one));
    for kind in kinds {
        for section in Section::ALL.iter().copied() {
            if arguments.section.is_none_or(|only| only == section) {
                explained(out, &policy.table, &arguments.question, (kind, section))?;
            }
        }
    }
    Ok(0)
}

fn explained(
    out: &mut dyn Write,
    table: &Table,
    question: &Question,
    (kind, section): (SourceKind, Section),
) -> io::Result<()> {
    let facts = question.facts(SectionSet::EMPTY.with(section));
    let shown = match table.decide(&facts) {
        Decision::Permit(obligations) => match obligations.views.of(kind).shown(section) {
            Shown::Whole => "permit".to_owned(),
            Shown::Limited(limit) => format!("limited: {}", limit.words()),
            Shown::Hidden => "deny".to_owned(),
        },
        Decision::Deny(denial) => format!("deny ({})", denial.reason.code()),
    };
    writeln!(out, "{} of {}: {shown}", section.code(), kind.code())?;
    let bearings = table.bearings(&facts, kind, section);
    if bearings.is_empty() {
        writeln!(out, "  no rule names this role here, and what no rule permits is denied")?;
    }
    for bearing in bearings {
        let does = match bearing.rule.effect {
            Effect::Permit(_) => "permits",
            Effect::Limit(_) => "limits",
            Effect::Deny(_) => "denies",
        };
        let (id, says) = (&bearing.rule.id, &bearing.rule.says);
        if bearing.misses.is_empty() {
            writeln!(out, "  rule {id} {does}: {says}")?;
        } else {
            writeln!(out, "  rule {id} does not hold: {}", bearing.misses.join("; "))?;
        }
    }
    Ok(())
}
