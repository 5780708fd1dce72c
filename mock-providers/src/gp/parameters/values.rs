//! The values that parts may have.

use jiff::civil::Date;
use serde_json::Value;

use crate::gp::areas::PartKind;

/// The value of a part, if it has one value of the right kind and no other.
pub(super) fn part_value(part: &Value, kind: PartKind, today: Date) -> Option<&Value> {
    let value = match kind {
        PartKind::Boolean => part.get("valueBoolean").filter(|value| value.is_boolean()),
        PartKind::PastDate => {
            part.get("valueDate").filter(|value| day(value).is_some_and(|day| day <= today))
        }
        PartKind::ComingDate => {
            part.get("valueDate").filter(|value| day(value).is_some_and(|day| day >= today))
        }
        PartKind::PastPeriod => part.get("valuePeriod").filter(|value| is_past_period(value, today)),
        PartKind::PositiveInt => {
            part.get("valuePositiveInt").filter(|value| value.as_u64().is_some_and(|number| number > 0))
        }
        PartKind::Code(codes) => {
            part.get("valueCode").filter(|value| value.as_str().is_some_and(|code| codes.contains(&code)))
        }
    };
    let only_value = part.as_object()?.keys().filter(|key| key.starts_with("value")).count() == 1;
    value.filter(|_| only_value)
}

/// A whole date; a year, a month or an instant is none.
fn day(value: &Value) -> Option<Date> {
    let text = value.as_str().filter(|text| text.len() == 10)?;
    text.parse().ok()
}

fn is_past_period(period: &Value, today: Date) -> bool {
    let bound = |name: &str| period.get(name).map(day);
    match (bound("start"), bound("end")) {
        (Some(None), _) | (_, Some(None)) | (None, None) => false,
        (Some(Some(start)), Some(Some(end))) => start <= end && end <= today,
        (Some(Some(bound)), None) | (None, Some(Some(bound))) => bound <= today,
    }
}
