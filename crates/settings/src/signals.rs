//! `[signals]`: from where on somebody's looking is out of the ordinary.

use tributary_broker::{SignalHours, SignalLimits};

use super::reader::Reader;

/// What is ordinary, and whether it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalSettings {
    /// What is ordinary; nothing where it is not looked for.
    pub limits: Option<SignalLimits>,
}

impl Default for SignalSettings {
    fn default() -> Self {
        Self { limits: Some(SignalLimits::default()) }
    }
}

/// More distinct patients than this cannot be counted for one person.
const MOST_PATIENTS: u64 = 250;

pub(super) fn read(mut table: Reader<'_>) -> SignalSettings {
    let usual = SignalLimits::default();
    let is_on = table.truth("enabled").unwrap_or(true);
    let mut number = |key, most: u64, usual: u16| {
        table.number(key, 0..=most).and_then(|number| u16::try_from(number).ok()).unwrap_or(usual)
    };
    let limits = SignalLimits {
        many_patients: number("many_patients", MOST_PATIENTS, usual.many_patients),
        many_patients_urgent: number("many_patients_urgent", MOST_PATIENTS, usual.many_patients_urgent),
        repeat_views_per_day: number("repeat_views_per_day", 1000, usual.repeat_views_per_day),
        same_name_per_day: number("same_name_per_day", 1000, usual.same_name_per_day),
        sequential_numbers: number("sequential_numbers", 1000, usual.sequential_numbers),
        break_glass_per_day: number("break_glass_per_day", 1000, usual.break_glass_per_day),
        denied_per_hour: number("denied_per_hour", 1000, usual.denied_per_hour),
        out_of_hours_percent: small(&mut table, "out_of_hours_percent", usual.out_of_hours_percent),
        working_hours: table.parsed("working_hours", hours).unwrap_or(usual.working_hours),
        bytes: table
            .number("max_bytes", 1 << 20..=1 << 32)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(usual.bytes),
    };
    table.close();
    SignalSettings { limits: is_on.then_some(limits) }
}

fn small(table: &mut Reader<'_>, key: &'static str, usual: u8) -> u8 {
    table.number(key, 0..=100).and_then(|number| u8::try_from(number).ok()).unwrap_or(usual)
}

/// "7-20": from seven until before twenty.
fn hours(text: &str) -> Result<SignalHours, &'static str> {
    const FORM: &str = "is not two hours of a day, the earlier first, as in \"7-20\"";
    let (from, to) = text.split_once('-').ok_or(FORM)?;
    let (from, to) =
        (from.parse::<u8>().map_err(|_no_hour| FORM)?, to.parse::<u8>().map_err(|_no_hour| FORM)?);
    if from < to && to <= 24 { Ok(SignalHours { from, to }) } else { Err(FORM) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn read(text: &str) -> Result<Option<SignalLimits>, String> {
        let settings = Settings::parse(&format!("[signals]\n{text}\n"));
        settings.map(|settings| settings.signals.limits).map_err(|mistakes| mistakes[0].path.clone())
    }

    #[test]
    fn limits_are_read() {
        assert_eq!(read(""), Ok(Some(SignalLimits::default())));
        assert_eq!(read("enabled = false"), Ok(None));
        let given =
            read("many_patients = 7\nworking_hours = \"8-18\"\nout_of_hours_percent = 30").unwrap().unwrap();
        assert_eq!((given.many_patients, given.out_of_hours_percent), (7, 30));
        assert_eq!(given.working_hours, SignalHours { from: 8, to: 18 });
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, path) in [
            ("many_patients = 251", "signals.many_patients"),
            ("out_of_hours_percent = 101", "signals.out_of_hours_percent"),
            ("working_hours = \"20-7\"", "signals.working_hours"),
            ("working_hours = \"7\"", "signals.working_hours"),
            ("working_hours = \"7-25\"", "signals.working_hours"),
            ("max_bytes = 1", "signals.max_bytes"),
            ("most = 1", "signals.most"),
        ] {
            assert_eq!(read(text), Err(path.to_owned()), "{text}");
        }
    }
}
