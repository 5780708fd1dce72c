//! Looks at everything inside a value, without recursion.

use tributary_fhir::{Json, Kind};

/// Shows every value inside `top` with the key it stands under; items of an array stand under the array's.
pub(super) fn every<'d>(top: Json<'d>, see: &mut dyn FnMut(&'d str, Json<'d>)) {
    let mut open = vec![("", top)];
    while let Some((key, value)) = open.pop() {
        see(key, value);
        match value.kind() {
            Kind::Object => open.extend(value.members()),
            Kind::Array => open.extend(value.items().map(|item| (key, item))),
            Kind::String | Kind::Number | Kind::True | Kind::False | Kind::Null => {}
        }
    }
}

/// Whether any value inside `top` is so.
pub(super) fn any<'d>(top: Json<'d>, mut is_so: impl FnMut(&'d str, Json<'d>) -> bool) -> bool {
    let mut found = false;
    every(top, &mut |key, value| found = found || is_so(key, value));
    found
}
