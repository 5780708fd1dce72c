//! What holds of every table: ten thousand drawn ones for each property.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it stands")]

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use tributary_model::{
    Decision, DenyReason, Facts, Label, OdsCode, Purpose, Relationship, Role, Section, SectionSet,
    SourceKind, ViewRole,
};
use tributary_policy::cells::{Cell, Place, Row, places};
use tributary_policy::rule::{AsSent, Deny, Glass, Holds, Limits, Permit, Taken};
use tributary_policy::{Among, Column, Draft, Effect, GlassBounds, Place as FlawPlace, Rule, Table};

fn config() -> ProptestConfig {
    ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() }
}

const ODS: [&str; 3] = ["RX901", "RZ901", "A99901"];

fn codes() -> Vec<OdsCode> {
    ODS.iter().map(|code| OdsCode::parse(code).unwrap()).collect()
}

fn among<T: Clone + std::fmt::Debug + 'static>(all: Vec<T>) -> impl Strategy<Value = Among<T>> {
    let count = all.len();
    prop_oneof![Just(Among::Any), subsequence(all, 1..=count).prop_map(Among::Only)]
}

fn known_labels() -> Vec<Label> {
    Label::ALL.iter().copied().filter(|label| *label != Label::Unknown).collect()
}

fn degree() -> impl Strategy<Value = Relationship> {
    select(Relationship::ALL)
}

fn permit() -> impl Strategy<Value = Effect> {
    let labels = proptest::option::of(among(known_labels()));
    (degree(), any::<bool>(), any::<bool>(), labels, any::<bool>()).prop_map(
        |(relationship, broken, demo, labels, as_sent)| {
            Effect::Permit(Permit {
                relationship,
                glass: if broken { Glass::Broken } else { Glass::Whole },
                holds: if demo { Holds::InDemo } else { Holds::Everywhere },
                labels,
                as_sent: if as_sent { AsSent::Yes } else { AsSent::No },
            })
        },
    )
}

fn restriction() -> impl Strategy<Value = Effect> {
    let unless = || proptest::option::of(degree());
    let limits = (unless(), proptest::option::of(select(ViewRole::ALL)), any::<bool>()).prop_map(
        |(unless, view, listed)| {
            let listed = if listed { Taken::Away } else { Taken::Left };
            Effect::Limit(Limits { unless, view, free_text: Taken::Away, listed })
        },
    );
    let deny = (unless(), proptest::option::of(among(known_labels())))
        .prop_map(|(unless, labels)| Effect::Deny(Deny { unless, labels }));
    prop_oneof![limits, deny]
}

fn rule(effect: impl Strategy<Value = Effect>) -> impl Strategy<Value = Rule> {
    let about = (
        among(codes()),
        among(Role::ALL.to_vec()),
        among(Purpose::ALL.to_vec()),
        among(SourceKind::ALL.to_vec()),
        among(Section::ALL.to_vec()),
        effect,
    );
    about.prop_map(|(organisations, roles, purposes, kinds, sections, effect)| {
        // Broken glass is never for whoever comes.
        let roles = if roles == Among::Any { Among::Only(Role::ALL.to_vec()) } else { roles };
        let says = String::new();
        Rule { id: Arc::from("x"), says, organisations, roles, purposes, kinds, sections, effect }
    })
}

fn denial() -> impl Strategy<Value = Rule> {
    let unless = proptest::option::of(degree());
    let labels = proptest::option::of(among(known_labels()));
    rule((unless, labels).prop_map(|(unless, labels)| Effect::Deny(Deny { unless, labels })))
}

/// Whether a denial is about a row and a cell of it, by what it says and nothing else.
fn is_about(rule: &Rule, row: &Row, place: Place) -> bool {
    let Effect::Deny(deny) = &rule.effect else { return false };
    let organisation = match (&rule.organisations, &row.organisation) {
        (Among::Any, _) => true,
        (Among::Only(all), Some(code)) => all.contains(code),
        (Among::Only(_), None) => false,
    };
    let label = match (&deny.labels, &place.label) {
        (None, _) => true,
        (Some(labels), Some(label)) => labels.has(label),
        (Some(_), None) => false,
    };
    organisation
        && label
        && deny.unless.is_none_or(|least| row.relationship < least)
        && rule.roles.has(&row.role)
        && rule.purposes.has(&row.purpose)
        && rule.kinds.has(&place.kind)
        && rule.sections.has(&place.section)
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let one = prop_oneof![3 => rule(permit()).boxed(), 1 => rule(restriction()).boxed()];
    proptest::collection::vec(one, 1..7)
}

fn table(rules: &[Rule]) -> Table {
    let numbered = rules.iter().enumerate();
    let rules = numbered.map(|(at, rule)| Rule { id: format!("r{at}").into(), ..rule.clone() }).collect();
    draft(rules)
}

fn draft(rules: Vec<Rule>) -> Table {
    let column = |role: &Role| {
        let own = ViewRole::from_code(role.code()).unwrap_or(ViewRole::Restricted);
        (*role, if *role == Role::Demo { Column::Whole } else { Column::Of(own) })
    };
    let columns = Role::ALL.iter().map(column).collect();
    Table::new(Draft { columns, rules, glass: GlassBounds::default() }).unwrap()
}

fn row() -> impl Strategy<Value = Row> {
    let organisation = proptest::option::of(select(codes()));
    let rest =
        (select(Role::ALL), organisation, select(Purpose::ALL), degree(), any::<bool>(), any::<bool>());
    rest.prop_map(|(role, organisation, purpose, relationship, broken, demo)| Row {
        demo,
        role,
        organisation,
        purpose,
        relationship,
        broken,
    })
}

fn cells(table: &Table, row: &Row) -> Vec<Cell> {
    let sight = table.sight(row);
    places().map(|place| sight.at(place)).collect()
}

/// One of those meant: the drawn one if it is.
fn among_or<T: Clone + PartialEq>(all: &Among<T>, drawn: T) -> T {
    match all {
        Among::Only(all) if !all.contains(&drawn) => all.first().cloned().unwrap_or(drawn),
        Among::Only(_) | Among::Any => drawn,
    }
}

/// Whether the first shows everything that the second shows.
fn holds(wide: &[Cell], narrow: &[Cell]) -> bool {
    wide.iter().zip(narrow).all(|(wide, narrow)| wide.holds(*narrow))
}

fn facts(row: &Row) -> Facts {
    Facts {
        role: Some(row.role),
        organisation: Some(row.organisation.clone().unwrap_or_else(|| codes()[0].clone())),
        is_proven: false,
        purpose: Some(row.purpose),
        relationship: row.relationship,
        sections: SectionSet::all(),
        break_glass: row.broken,
        demo: row.demo,
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_restriction_that_is_added_never_widens(rules in rules(), more in rule(restriction()), row in row()) {
        let before = cells(&table(&rules), &row);
        let with: Vec<Rule> = rules.into_iter().chain([more]).collect();
        prop_assert!(holds(&before, &cells(&table(&with), &row)));
    }

    #[test]
    fn a_denial_always_empties_its_cells(rules in rules(), denial in denial(), by in any::<Index>(), row in row()) {
        // The row is drawn until the denial is about its person; what it says of cells is left to chance.
        let row = Row { role: among_or(&denial.roles, row.role), purpose: among_or(&denial.purposes, row.purpose), ..row };
        let mut with = rules;
        with.insert(by.index(with.len() + 1), denial.clone());
        let sight = table(&with).sight(&row);
        for place in places().filter(|place| is_about(&denial, &row, *place)) {
            prop_assert_eq!(sight.at(place), Cell::NOTHING, "{} {}", row, place);
        }
    }

    #[test]
    fn the_order_of_rules_never_matters(rules in rules(), by in any::<Index>(), row in row()) {
        let named: Vec<Rule> = table(&rules).rules().to_vec();
        let mut other = named.clone();
        other.rotate_left(by.index(named.len()));
        other.reverse();
        let (one, two) = (draft(named), draft(other));
        prop_assert_eq!(cells(&one, &row), cells(&two, &row));
        prop_assert_eq!(one.decide(&facts(&row)), two.decide(&facts(&row)));
    }

    #[test]
    fn an_attribute_that_is_taken_away_never_adds(rules in rules(), row in row()) {
        let table = table(&rules);
        let all = cells(&table, &row);
        // Asking to break what no rule offers is refused as a whole; there is nothing to take from then.
        if !(row.broken && all.iter().all(|cell| *cell == Cell::NOTHING)) {
            for less in [
                Row { relationship: Relationship::Unknown, ..row.clone() },
                Row { broken: false, ..row.clone() },
                Row { demo: false, ..row.clone() },
            ] {
                prop_assert!(holds(&all, &cells(&table, &less)), "{less}");
            }
        }
        let known = facts(&row);
        for absent in [
            Facts { role: None, ..known.clone() },
            Facts { purpose: None, ..known.clone() },
            Facts { organisation: None, ..known },
        ] {
            prop_assert_eq!(table.decide(&absent), Decision::Deny(DenyReason::NoRule.into()));
        }
    }

    #[test]
    fn an_unknown_label_and_an_unlisted_column_show_nothing(rules in rules(), row in row()) {
        let table = table(&rules);
        let sight = table.sight(&row);
        let unknown = places().filter(|place| place.label == Some(Label::Unknown));
        for place in unknown {
            // What is whole is not looked at: a demo's own requester alone.
            prop_assert!(row.role == Role::Demo || sight.at(place) == Cell::NOTHING);
        }
        let nobody = Draft { columns: Vec::new(), rules: table.rules().to_vec(), ..Draft::default() };
        let nobody = Table::new(nobody).unwrap();
        prop_assert!(cells(&nobody, &row).iter().all(|cell| *cell == Cell::NOTHING));
    }

    #[test]
    fn an_empty_set_makes_no_table(rules in rules(), at in any::<Index>(), which in 0..5) {
        let mut rules = table(&rules).rules().to_vec();
        let at = at.index(rules.len());
        let rule = &mut rules[at];
        match which {
            0 => rule.roles = Among::Only(Vec::new()),
            1 => rule.sections = Among::Only(Vec::new()),
            2 => rule.organisations = Among::Only(Vec::new()),
            3 => rule.purposes = Among::Only(Vec::new()),
            _ => rule.kinds = Among::Only(Vec::new()),
        }
        let flaws = Table::new(Draft { rules, ..Draft::default() }).unwrap_err();
        prop_assert!(flaws.iter().any(|flaw| matches!(flaw.place, FlawPlace::Rule(found, _) if found == at + 1)));
    }

    #[test]
    fn what_is_decided_is_what_the_matrix_says(rules in rules(), row in row(), sections in subsequence(Section::ALL, 0..=4)) {
        let table = table(&rules);
        let row = Row { organisation: Some(row.organisation.unwrap_or_else(|| codes()[0].clone())), ..row };
        let asked: SectionSet = sections.into_iter().collect();
        let row = Row { demo: true, ..row };
        let known = Facts { sections: asked, ..facts(&row) };
        let shown = table.sight(&row);
        if let Decision::Permit(obligations) = table.decide(&known) {
            prop_assert!(asked.holds(obligations.sections) && !obligations.sections.is_empty());
            for place in places().filter(|place| place.label.is_none() && asked.contains(place.section)) {
                let view = obligations.views.of(place.kind);
                prop_assert_eq!(view.shown(place.section), shown.at(place).shown);
            }
        }
    }

    #[test]
    fn nobody_who_is_not_proven_sees_anything_but_in_a_demo(rules in rules(), row in row()) {
        let facts = Facts { demo: false, ..facts(&row) };
        let denied = Decision::Deny(DenyReason::NotProven.into());
        prop_assert_eq!(table(&rules).decide(&facts), denied);
    }
}
