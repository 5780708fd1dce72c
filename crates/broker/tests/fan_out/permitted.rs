//! The policy of a test that is not about policy.

use std::sync::Arc;

use tributary_broker::Policy;
use tributary_model::{Relationship, Role};
use tributary_policy::rule::{AsSent, Glass, Holds, Permit};
use tributary_policy::{Among, Column, Draft, Effect, Rule, Table};

/// Everybody sees everything of invented patients, as a demo lets its own requester.
pub(crate) fn policy() -> Policy {
    let rule = Rule {
        id: Arc::from("demo"),
        says: String::new(),
        organisations: Among::Any,
        roles: Among::Any,
        purposes: Among::Any,
        kinds: Among::Any,
        sections: Among::Any,
        effect: Effect::Permit(Permit {
            relationship: Relationship::Unknown,
            glass: Glass::Whole,
            holds: Holds::InDemo,
            labels: Some(Among::Any),
            as_sent: AsSent::Yes,
        }),
    };
    let columns = Role::ALL.iter().map(|role| (*role, Column::Whole)).collect();
    let table = Table::new(Draft { columns, rules: vec![rule], ..Draft::default() }).unwrap();
    Policy { table: Arc::new(table), digest: tributary_audit::Digest::of(b"policy") }
}
