//! `Device`.

use crate::draft::{Draft, Fields};
use crate::json::Kind;

use super::back::{keep_new, single};
use super::edit::{Notes, has, rehome, says};
use super::kept::{keep, keep_rest};

/// To R4. The model is a name there, of a kind of its own.
pub(super) fn to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    let mut names = Vec::new();
    let is_free = !has(fields, "deviceName");
    let is_word =
        |fields: &Fields<'_>, key: &str| fields.get(key).is_some_and(|value| value.kind() == Kind::String);
    if is_free && is_word(fields, "model") && !fields.has("_model") {
        names.extend(fields.take("model").map(|name| named(name, "\"model-name\"")));
    }
    if let Some(udi) = fields.get_mut("udi").filter(|_| is_free).and_then(Draft::fields)
        && is_word(udi, "name")
        && !udi.has("_name")
    {
        names.extend(udi.take("name").map(|name| named(name, "\"udi-label-name\"")));
    }
    fields.append_all("deviceName", names);
    keep(fields, notes, "Device.model", "String");
    fields.each("udi", |udi| keep(udi, notes, "Device.udi.name", "String"));
    rehome(fields, notes, "Device.udi", "udiCarrier", "");
    fields.wrap("udiCarrier");
    if is_word(fields, "version") && !fields.has("_version") {
        if let Some(version) = fields.take("version") {
            fields.put("version", Draft::Array(vec![Draft::object([("value", version)])]));
        }
    } else {
        keep(fields, notes, "Device.version", "String");
    }
}

fn named<'d>(name: Draft<'d>, kind: &'static str) -> Draft<'d> {
    Draft::object([("name", name), ("type", Draft::literal(kind))])
}

/// `DeviceUseStatement` to R4.
pub(super) fn usage_to_r4(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    rehome(fields, notes, "DeviceUseStatement.indication", "reasonCode", "CodeableConcept");
    let is_timed = fields.keys().any(|key| key.trim_start_matches('_').starts_with("timing"));
    if is_timed {
        keep(fields, notes, "DeviceUseStatement.whenUsed", "Period");
    } else {
        rehome(fields, notes, "DeviceUseStatement.whenUsed", "timingPeriod", "Period");
    }
}

/// Back to STU3.
pub(super) fn to_stu3(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    rehome(fields, notes, "Device.modelNumber", "model", "String");
    name(fields, notes);
    version(fields, notes);
    single(fields, notes, "Device.udiCarrier", "");
    rehome(fields, notes, "Device.udiCarrier", "udi", "");
    keep_new(
        fields,
        notes,
        &[
            ("Device.definition", "Reference"),
            ("Device.distinctIdentifier", "String"),
            ("Device.parent", "Reference"),
            ("Device.partNumber", "String"),
            ("Device.property", ""),
            ("Device.serialNumber", "String"),
            ("Device.specialization", ""),
            ("Device.statusReason", "CodeableConcept"),
        ],
    );
}

/// STU3 knows a device by its model. A name stands there when there is no model, and what kind of name it is
/// is kept.
fn name(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    const PATH: &str = "Device.deviceName";
    let mut names = fields.get("deviceName").cloned();
    let only = names
        .as_mut()
        .and_then(Draft::items)
        .filter(|list| list.len() == 1)
        .and_then(|list| list.first_mut());
    let is_model =
        only.and_then(Draft::fields).is_some_and(|one| one.len() == 2 && says(one, "type", "model-name"));
    let first = names.as_mut().and_then(|names| names.items()?.first_mut()?.fields()?.take("name"));
    let first = first.filter(|name| name.kind() == Kind::String);
    if is_model && first.is_some() && !has(fields, "model") {
        fields.take("deviceName");
    }
    keep(fields, notes, PATH, "");
    if let Some(name) = first.filter(|_| !has(fields, "model")) {
        fields.put("model", name);
    }
}

/// A version is a word in STU3.
fn version(fields: &mut Fields<'_>, notes: &mut Notes<'_>) {
    single(fields, notes, "Device.version", "");
    if fields.has("_version") {
        return keep(fields, notes, "Device.version", "");
    }
    let Some(mut version) = fields.take("version") else { return };
    let Some(inner) = version.fields() else { return fields.put("version", version) };
    for (old, new) in [("value", "version"), ("_value", "_version")] {
        if let Some(value) = inner.take(old) {
            fields.put(new, value);
        }
    }
    keep_rest(fields, notes, "Device.version", std::mem::take(inner));
}
