//! The values that parts take.

use jiff::civil::Date;
use tributary_fhir::{Json, Kind};
use tributary_model::FhirDate;

use super::Takes;

type Checked = Result<(), &'static str>;

/// Checks the value of a part.
pub(super) fn check(takes: Takes, part: Json<'_>, today: Date) -> Checked {
    match takes {
        Takes::Boolean => match value(part, "valueBoolean")?.kind() {
            Kind::True | Kind::False => Ok(()),
            Kind::Null | Kind::Number | Kind::String | Kind::Array | Kind::Object => {
                Err("It must be true or false.")
            }
        },
        Takes::PositiveInt => positive(value(part, "valuePositiveInt")?),
        Takes::Code(codes) => {
            let code = value(part, "valueCode")?.text();
            let is_one = code.is_some_and(|code| codes.iter().any(|known| *known == code));
            if is_one { Ok(()) } else { Err("It is none of the codes that this part takes.") }
        }
        Takes::PastDate => not_after(day(value(part, "valueDate")?)?, today),
        Takes::DateToCome => {
            let is_over = day(value(part, "valueDate")?)? < today;
            if is_over { Err("The date must not be in the past.") } else { Ok(()) }
        }
        Takes::PastPeriod => period(value(part, "valuePeriod")?, today),
    }
}

/// The value of a part that has exactly this type.
fn value<'d>(part: Json<'d>, kind: &'static str) -> Result<Json<'d>, &'static str> {
    let fits = |key: &str| key == kind || matches!(key, "name" | "id" | "extension");
    let only = part.members().all(|(key, _)| fits(key));
    part.get(kind).filter(|_| only).ok_or("It has no value, or one of another type.")
}

fn positive(value: Json<'_>) -> Checked {
    let number = Some(value).filter(|value| value.kind() == Kind::Number);
    let number = number.and_then(|value| value.raw().parse::<u32>().ok());
    // FHIR's positiveInt ends where a signed one of 32 bits does.
    match number {
        Some(1..=0x7FFF_FFFF) => Ok(()),
        _ => Err("It must be a whole number from 1."),
    }
}

/// A date of whole days: no year or month alone, no time.
fn day(value: Json<'_>) -> Result<Date, &'static str> {
    match value.text().and_then(|text| FhirDate::parse(&text)) {
        Some(FhirDate::Day(day)) => Ok(day),
        _ => Err("It must be a whole date, as in 2025-11-01."),
    }
}

fn not_after(day: Date, today: Date) -> Checked {
    if day > today { Err("The date must not be in the future.") } else { Ok(()) }
}

fn period(value: Json<'_>, today: Date) -> Checked {
    if value.kind() != Kind::Object {
        return Err("It must be a period.");
    }
    let bound = |name: &str| value.get(name).map(day).transpose();
    let (start, end) = (bound("start")?, bound("end")?);
    for day in [start, end].into_iter().flatten() {
        not_after(day, today)?;
    }
    match (start, end) {
        (None, None) => Err("A period has a start or an end."),
        (Some(start), Some(end)) if start > end => Err("The period ends before it begins."),
        _ => Ok(()),
    }
}
