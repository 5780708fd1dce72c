//! Who a patient is, as the national demographics service (PDS) has it.

use std::fmt;

use crate::date::FhirDate;
use crate::redacted::Redacted;
use crate::source::OdsCode;

/// What the national service says of a patient, as far as a record is checked against it and shows it.
///
/// Every field may be missing: the service sends what it has. Nothing of it is ever printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demographics {
    /// The name in use on the day it was asked for; former names are left out.
    pub name: Option<Redacted<PersonName>>,
    /// Date of birth.
    pub birth_date: Option<Redacted<SentDate>>,
    /// Administrative gender.
    pub gender: Option<Redacted<Gender>>,
    /// The home address of that day.
    pub address: Option<Redacted<HomeAddress>>,
    /// The practice whose registration holds on that day.
    pub practice: Option<Redacted<OdsCode>>,
    /// A death that was told, and not taken back.
    pub death: Option<Redacted<Death>>,
}

/// A name in its parts.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName {
    /// Family name; empty where there is none.
    pub family: String,
    /// Given names in their order.
    pub given: Vec<String>,
    /// Titles.
    pub prefix: Vec<String>,
}

/// An address.
#[derive(Clone, PartialEq, Eq)]
pub struct HomeAddress {
    /// Its lines.
    pub lines: Vec<String>,
    /// Its postcode, as it was sent.
    pub postcode: Option<String>,
}

/// A date letter by letter as it was sent, with what it means.
#[derive(Clone, PartialEq, Eq)]
pub struct SentDate {
    text: String,
    date: FhirDate,
}

impl SentDate {
    /// Takes a date of any precision; nothing if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self { date: FhirDate::parse(text)?, text: text.to_owned() })
    }

    /// As it was sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it means.
    pub const fn date(&self) -> FhirDate {
        self.date
    }
}

/// A death.
#[derive(Clone, PartialEq, Eq)]
pub struct Death {
    /// What it is known from.
    pub notice: DeathNotice,
    /// When, as precisely as it is known.
    pub date: Option<SentDate>,
}

/// What a death is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathNotice {
    /// Somebody said so.
    Informal,
    /// A certificate is registered.
    Formal,
}

/// Administrative gender, in the codes of FHIR.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    /// `female`
    Female,
    /// `male`
    Male,
    /// `other`
    Other,
    /// `unknown`
    Unknown,
}

impl Gender {
    /// The gender of a code.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Female, Self::Male, Self::Other, Self::Unknown].into_iter().find(|one| one.code() == code)
    }

    /// The code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Female => "female",
            Self::Male => "male",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of a person is never printed, not even by those who took it out of its wrapping.
macro_rules! never_printed {
    ($($name:ident),+) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[redacted]")
            }
        })+
    };
}

never_printed!(PersonName, HomeAddress, SentDate, Death, Gender);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_person_is_printed() {
        let name =
            PersonName { family: "Ashworth".into(), given: vec!["George".into()], prefix: vec!["Mr".into()] };
        let address = HomeAddress { lines: vec!["1 Ferry Lane".into()], postcode: Some("CH41 1AA".into()) };
        let date = SentDate::parse("1953-02-11").unwrap();
        let death = Death { notice: DeathNotice::Formal, date: Some(date.clone()) };
        let parts = format!("{name:?} {address:?} {date:?} {death:?} {:?}", Gender::Male);
        let demographics = Demographics {
            name: Some(Redacted::new(name)),
            birth_date: Some(Redacted::new(date)),
            gender: Some(Redacted::new(Gender::Male)),
            address: Some(Redacted::new(address)),
            practice: Some(Redacted::new(OdsCode::parse("A99901").unwrap())),
            death: Some(Redacted::new(death)),
        };
        let shown = format!("{parts} {demographics:?} {demographics:#?}");
        for secret in ["Ashworth", "George", "Mr", "Ferry", "CH41", "1953", "ale", "A99901", "Formal"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }

    #[test]
    fn a_date_keeps_its_letters() {
        let date = SentDate::parse("2024-11-03T00:00:00+00:00").unwrap();
        assert_eq!(
            (date.text(), date.date().display().as_str()),
            ("2024-11-03T00:00:00+00:00", "03-Nov-2024")
        );
        assert_eq!(SentDate::parse("soon"), None);
    }

    #[test]
    fn genders_have_the_codes_of_fhir() {
        for code in ["female", "male", "other", "unknown"] {
            assert_eq!(Gender::from_code(code).map(Gender::code), Some(code));
        }
        assert_eq!(Gender::from_code("Male"), None);
    }
}
