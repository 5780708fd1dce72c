//! What is looked for, and from where on it is out of the ordinary.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tributary_model::NhsNumber;

/// Something out of the ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// One person looks at many patients in a short time.
    ManyPatients,
    /// One patient is looked at again and again.
    RepeatViews,
    /// The patient has the family name of who asks.
    SameName,
    /// Mostly at hours at which nobody of this kind works.
    OutOfHours,
    /// NHS numbers are tried one after the other.
    SequentialNumbers,
    /// The glass is broken often.
    BreakGlassRate,
    /// The policy refuses often.
    DeniedRate,
}

impl Signal {
    /// Every signal.
    pub const ALL: &[Self] = &[
        Self::ManyPatients,
        Self::RepeatViews,
        Self::SameName,
        Self::OutOfHours,
        Self::SequentialNumbers,
        Self::BreakGlassRate,
        Self::DeniedRate,
    ];

    /// The code in metrics and on record.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ManyPatients => "many-patients",
            Self::RepeatViews => "repeat-views",
            Self::SameName => "same-name",
            Self::OutOfHours => "out-of-hours",
            Self::SequentialNumbers => "sequential-numbers",
            Self::BreakGlassRate => "break-glass-rate",
            Self::DeniedRate => "denied-rate",
        }
    }

    /// Whether it is about one patient, and not about all that a person did.
    pub const fn is_about_one(self) -> bool {
        matches!(self, Self::RepeatViews | Self::SameName)
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Something was disclosed.
    #[default]
    Shown,
    /// The policy refused.
    Denied,
}

/// One request, as far as it counts.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// Who: the user id, which means something within an organisation.
    pub user: &'a str,
    /// Their organisation.
    pub organisation: &'a str,
    /// Whether they work in urgent care, at any hour and with many patients.
    pub is_urgent: bool,
    /// At whom; nobody where a request is about no patient.
    pub patient: Option<NhsNumber>,
    /// Whether the patient is known to have their family name.
    pub is_namesake: bool,
    /// Whether they broke the glass.
    pub broke_glass: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// When, by the true time.
    pub at: Timestamp,
}

impl<'a> Look<'a> {
    /// A look at nobody yet, out of the blue.
    pub const fn by(user: &'a str, organisation: &'a str, at: Timestamp) -> Self {
        let (is_urgent, is_namesake, broke_glass) = (false, false, false);
        let outcome = Outcome::Shown;
        Self { user, organisation, is_urgent, patient: None, is_namesake, broke_glass, outcome, at }
    }
}

/// Hours of a day, in London.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// The first that belongs to them, 0 to 23.
    pub from: u8,
    /// The first that does not any more, 1 to 24.
    pub to: u8,
}

impl Hours {
    /// Whether an instant is within. Where the machine knows no London, its time is taken for UTC.
    pub(crate) fn has(self, at: Timestamp) -> bool {
        let london = TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC);
        let hour = at.to_zoned(london).hour();
        let (from, to) = (i16::from(self.from), i16::from(self.to));
        (from..to).contains(&i16::from(hour))
    }
}

/// What is ordinary. One more is not; 0 makes the first one an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Distinct patients in ten minutes; at most 255 can be counted.
    pub many_patients: u16,
    /// The same for urgent roles.
    pub many_patients_urgent: u16,
    /// Looks at one patient in a day.
    pub repeat_views_per_day: u16,
    /// Patients of a day with one's own family name.
    pub same_name_per_day: u16,
    /// Share of looks outside `working_hours` in a week.
    pub out_of_hours_percent: u8,
    /// The hours in which people who are not urgent work.
    pub working_hours: Hours,
    /// NHS numbers in a row.
    pub sequential_numbers: u16,
    /// Broken glass in a day.
    pub break_glass_per_day: u16,
    /// Refusals in an hour.
    pub denied_per_hour: u16,
    /// Most memory for all persons together.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            many_patients: 60,
            many_patients_urgent: 120,
            repeat_views_per_day: 10,
            same_name_per_day: 2,
            out_of_hours_percent: 50,
            working_hours: Hours { from: 7, to: 20 },
            sequential_numbers: 5,
            break_glass_per_day: 3,
            denied_per_hour: 10,
            bytes: 64 << 20,
        }
    }
}

/// Something out of the ordinary was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// What.
    pub signal: Signal,
    /// How many were counted; a share in percent.
    pub count: u64,
    /// How many are ordinary.
    pub limit: u64,
    /// In which time; 0 where time does not matter.
    pub window_secs: u64,
}
