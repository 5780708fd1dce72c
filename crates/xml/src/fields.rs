//! The members of a JSON object as the fields of a FHIR element: paired and in order.

use std::collections::HashMap;

use super::order;
use tributary_fhir::Json;

/// One field: `name` and, for primitives, `_name`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'d> {
    pub(super) name: &'d str,
    /// The type of its values; empty if they are primitives or unknown.
    pub(super) of_type: &'static str,
    pub(super) value: Option<Json<'d>>,
    /// The member with an underscore.
    pub(super) beside: Option<Json<'d>>,
    rank: usize,
}

impl<'d> Field<'d> {
    /// The repetitions of the field. Nulls in either array keep the pairs together.
    pub(super) fn repetitions(&self) -> impl Iterator<Item = (Option<Json<'d>>, Option<Json<'d>>)> {
        let mut values = self.value.into_iter().flat_map(Json::each);
        let mut besides = self.beside.into_iter().flat_map(Json::each);
        std::iter::from_fn(move || match (values.next(), besides.next()) {
            (None, None) => None,
            pair => Some(pair),
        })
    }
}

/// The fields of an object of a type, in the order of the specification; unknown ones follow in the order
/// of the JSON.
pub(super) fn fields<'d>(object: Json<'d>, of_type: &str) -> Vec<Field<'d>> {
    let mut fields: Vec<Field<'d>> = Vec::new();
    let mut places: HashMap<&'d str, usize> = HashMap::new();
    for (key, value) in object.members() {
        let (name, is_beside) = key.strip_prefix('_').map_or((key, false), |name| (name, true));
        let place = *places.entry(name).or_insert_with(|| {
            let (rank, of_type) = order::place(of_type, name);
            fields.push(Field { name, of_type, value: None, beside: None, rank });
            fields.len() - 1
        });
        let Some(field) = fields.get_mut(place) else { continue };
        *if is_beside { &mut field.beside } else { &mut field.value } = Some(value);
    }
    // Stable, so what has the same rank stays in the order of the JSON.
    fields.sort_by_key(|field| field.rank);
    fields
}
