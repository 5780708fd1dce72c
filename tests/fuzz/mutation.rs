//! What can be wrong with an answer: changes of its structure, and a few of its bytes.

use super::chance::Chance;
use super::tree::Tree;

/// Keys that mean something somewhere.
const KEYS: &[&str] = &[
    "resourceType",
    "id",
    "meta",
    "source",
    "tag",
    "security",
    "profile",
    "implicitRules",
    "modifierExtension",
    "extension",
    "url",
    "contained",
    "identifier",
    "system",
    "value",
    "status",
    "clinicalStatus",
    "verificationStatus",
    "code",
    "coding",
    "text",
    "display",
    "userSelected",
    "subject",
    "patient",
    "for",
    "individual",
    "participant",
    "actor",
    "reference",
    "basedOn",
    "result",
    "hasMember",
    "related",
    "target",
    "type",
    "medicationReference",
    "medicationCodeableConcept",
    "notGiven",
    "notDone",
    "taken",
    "doNotPerform",
    "entry",
    "item",
    "emptyReason",
    "fullUrl",
    "resource",
    "search",
    "effectiveDateTime",
    "effectivePeriod",
    "start",
    "end",
    "valueQuantity",
    "valueString",
    "component",
    "dosage",
    "dosageInstruction",
    "context",
    "encounter",
    "requester",
    "agent",
    "onBehalfOf",
    "performer",
    "explanation",
    "vaccinationProtocol",
    "category",
    "content",
    "attachment",
    "birthDate",
    "name",
    "family",
    "given",
    "address",
    "postalCode",
    "deceasedBoolean",
    "_status",
    "_birthDate",
];

/// Types, known and unknown.
const TYPES: &[&str] = &[
    "Patient",
    "AllergyIntolerance",
    "MedicationStatement",
    "MedicationRequest",
    "MedicationDispense",
    "Condition",
    "Observation",
    "Immunization",
    "Procedure",
    "ProcedureRequest",
    "ReferralRequest",
    "ServiceRequest",
    "List",
    "DiagnosticReport",
    "DocumentReference",
    "Flag",
    "Encounter",
    "Consent",
    "Goal",
    "Binary",
    "Bundle",
    "Provenance",
    "OperationOutcome",
    "Parameters",
    "Device",
    "Task",
    "Appointment",
    "QuestionnaireResponse",
    "",
    "patient",
];

/// Leaves that are JSON: right ones, wrong ones, strange ones.
const LEAVES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "7.10",
    "7.1e0",
    "1E400",
    "-1e-400",
    "123456789012345678901234567890.12345678901234567890",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"\\ud83d\\udc8a\"",
    "\"\u{202e}\u{fdfa}\u{feff}\"",
    "\"\\\"}],{\\\"\"",
    "\"entered-in-error\"",
    "\"active\"",
    "\"2026-02-30\"",
    "\"9999-12-31T23:59:60Z\"",
    "\"-4713-11-24\"",
    "\"2026-03-02T15:30:00\"",
    "\"716186003\"",
    "\"91936005\"",
    "\"http://snomed.info/sct\"",
    "\"https://fhir.nhs.uk/Id/nhs-number\"",
    "\"9990000107\"",
    "\"9990000204\"",
    "\"999 000 0107\"",
    "\"urn:x-tributary:gp#Condition/1\"",
    "[]",
    "{}",
    "[null]",
    "\"<div xmlns='http://www.w3.org/1999/xhtml'><script>x</script></div>\"",
];

/// Leaves that are not: wrong numbers, halves of characters, halves of values.
const NO_LEAVES: &[&str] = &[
    "00",
    "+1",
    ".5",
    "1.",
    "NaN",
    "0x1F",
    "\"\\ud800\"",
    "\"\\udc8a\\ud83d\"",
    "\"\\x\"",
    "\"\u{1}\"",
    "tru",
    "\"",
    "{",
    "]",
    "",
];

/// References of every form, good and bad.
const REFERENCES: &[&str] = &[
    "\"#\"",
    "\"#p\"",
    "\"Patient/p1\"",
    "\"Patient/1\"",
    "\"Condition/1/_history/2\"",
    "\"Observation/1#x\"",
    "\"urn:uuid:296ac9f3-c288-591b-bb7b-6fe473dc93f8\"",
    "\"URN:UUID:296AC9F3-C288-591B-BB7B-6FE473DC93F8\"",
    "\"urn:oid:1.2.3\"",
    "\"https://first.example/fhir/Condition/1\"",
    "\"https://second.example/fhir/Condition/1\"",
    "\"http://elsewhere.example/Patient/1\"",
    "\"No consultation/ none\"",
    "\"Condition?identifier=1\"",
    "\"/\"",
    "\"Patient/\"",
    "\"//Patient/1\"",
    "\"Condition/1 \"",
    "\" urn:uuid:296ac9f3-c288-591b-bb7b-6fe473dc93f8\"",
];

/// Changes a document in up to eight ways.
pub fn mutate(document: &mut Tree, chance: &mut Chance) {
    for _ in 0..=chance.below(8) {
        if chance.one_in(3) {
            of_entries(document, chance);
        } else {
            of_node(document, chance);
        }
    }
}

/// Changes that a list of entries can suffer.
fn of_entries(document: &mut Tree, chance: &mut Chance) {
    let Some(Tree::List(entries)) = document_entries(document) else { return };
    if entries.is_empty() {
        return;
    }
    let (one, other) = (chance.below(entries.len()), chance.below(entries.len()));
    match chance.below(8) {
        0 => drop(entries.remove(one)),
        1 => entries.swap(one, other),
        2 => entries.push(entries[one].clone()),
        // Another content under the same name.
        3 => {
            let mut twin = entries[one].clone();
            twin.somewhere(chance).clone_from(&leaf(chance));
            entries.push(twin);
        }
        // Another resource under the same id, or under none.
        4 => {
            let id = entries[other].get("resource").and_then(|resource| resource.get("id")).cloned();
            with_resource(&mut entries[one], |resource| match id {
                Some(id) => resource.put("id", id),
                None => without(resource, "id"),
            });
        }
        5 => {
            let kind = *chance.pick::<&str>(TYPES);
            with_resource(&mut entries[one], |resource| resource.put("resourceType", Tree::string(kind)));
        }
        6 => {
            let url = (*chance.pick(REFERENCES)).to_owned();
            entries[one].put("fullUrl", Tree::Leaf(url));
        }
        // Many alike: a hundred lines with one key, or a hundred of one name.
        _ => {
            let times = if chance.one_in(20) { 400 } else { 12 };
            let renumber = chance.one_in(2);
            for number in 0..times {
                let mut copy = entries[one].clone();
                if renumber {
                    with_resource(&mut copy, |resource| {
                        resource.put("id", Tree::string(&format!("many-{number}")));
                    });
                }
                entries.push(copy);
            }
        }
    }
}

fn document_entries(document: &mut Tree) -> Option<&mut Tree> {
    let Tree::Object(members) = document else { return None };
    members.iter_mut().find(|(key, _)| key == "entry").map(|(_, value)| value)
}

fn with_resource(entry: &mut Tree, change: impl FnOnce(&mut Tree)) {
    let Tree::Object(members) = entry else { return };
    if let Some((_, resource)) = members.iter_mut().find(|(key, _)| key == "resource") {
        change(resource);
    }
}

fn without(tree: &mut Tree, key: &str) {
    if let Tree::Object(members) = tree {
        members.retain(|(name, _)| name != key);
    }
}

fn leaf(chance: &mut Chance) -> Tree {
    // Text that is no JSON ends the case at the gate, so it is drawn less often.
    let pool = if chance.one_in(25) { NO_LEAVES } else { LEAVES };
    Tree::Leaf((*chance.pick(pool)).to_owned())
}

/// Changes of one value anywhere.
fn of_node(document: &mut Tree, chance: &mut Chance) {
    let graft = chance.one_in(6).then(|| document.somewhere(chance).clone());
    let node = document.somewhere(chance);
    if let Some(graft) = graft {
        // A value from elsewhere in the same document, if it is not most of it.
        if graft.len() < 20 {
            *node = graft;
        }
        return;
    }
    match node {
        Tree::Leaf(text) => of_leaf(text, chance),
        Tree::List(items) => of_list(items, chance),
        Tree::Object(members) => of_object(members, chance),
    }
    if chance.one_in(12) {
        confuse(node, chance);
    }
}

fn of_leaf(text: &mut String, chance: &mut Chance) {
    match chance.below(6) {
        0 | 1 => {
            if let Tree::Leaf(other) = leaf(chance) {
                *text = other;
            }
        }
        2 => (*chance.pick(REFERENCES)).clone_into(text),
        // A string of its own characters, spelt otherwise.
        3 => {
            if let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                let spelt: String = inner
                    .chars()
                    .map(|letter| match letter {
                        'a'..='f' => format!("\\u{:04x}", u32::from(letter)),
                        _ => letter.to_string(),
                    })
                    .collect();
                *text = format!("\"{spelt}\"");
            }
        }
        4 => {
            let times = if chance.one_in(200) { 60_000 } else { 40 };
            *text = format!("\"{}\"", "long é ".repeat(times));
        }
        _ => *text = format!("\"{}\"", chance.pick(TYPES)),
    }
}

fn of_list(items: &mut Vec<Tree>, chance: &mut Chance) {
    if items.is_empty() {
        items.push(leaf(chance));
        return;
    }
    let (one, other) = (chance.below(items.len()), chance.below(items.len()));
    match chance.below(5) {
        0 => drop(items.remove(one)),
        1 => items.swap(one, other),
        2 => items.clear(),
        3 => items.insert(one, leaf(chance)),
        _ => {
            let times = if chance.one_in(30) { 3_000 } else { 5 };
            let copy = items[one].clone();
            if copy.len() < 8 {
                items.extend(std::iter::repeat_n(copy, times));
            }
        }
    }
}

fn of_object(members: &mut Vec<(String, Tree)>, chance: &mut Chance) {
    let new = (*chance.pick(KEYS)).to_owned();
    if members.is_empty() {
        members.push((new, leaf(chance)));
        return;
    }
    let (one, other) = (chance.below(members.len()), chance.below(members.len()));
    match chance.below(8) {
        0 => drop(members.remove(one)),
        // A key twice: the gate must not let it in.
        1 if chance.one_in(10) => members.push(members[one].clone()),
        2 => {
            let value = members[other].1.clone();
            let before = std::mem::replace(&mut members[one].1, value);
            members[other].1 = before;
        }
        3 | 1 => rename(members, one, new),
        4 => members.swap(one, other),
        5 => {
            let value = leaf(chance);
            if !members.iter().any(|(key, _)| *key == new) {
                members.push((new, value));
            }
        }
        6 => {
            let sibling = format!("_{}", members[one].0);
            if !members.iter().any(|(key, _)| *key == sibling) {
                members.push((sibling, Tree::Object(vec![("id".to_owned(), Tree::string("x"))])));
            }
        }
        _ => members[one].1 = leaf(chance),
    }
}

fn rename(members: &mut [(String, Tree)], place: usize, new: String) {
    if !members.iter().any(|(key, _)| *key == new) {
        members[place].0 = new;
    }
}

/// Another type of value in the same place.
fn confuse(node: &mut Tree, chance: &mut Chance) {
    let before = std::mem::replace(node, Tree::Leaf("null".to_owned()));
    *node = match chance.below(4) {
        0 => Tree::List(vec![before]),
        1 => Tree::Object(vec![((*chance.pick(KEYS)).to_owned(), before)]),
        2 => {
            let levels = if chance.one_in(3) { 70 } else { 20 };
            (0..levels).fold(before, |inner, _| Tree::List(vec![inner]))
        }
        _ => match before {
            Tree::List(mut items) if !items.is_empty() => items.swap_remove(0),
            Tree::Object(mut members) if !members.is_empty() => members.swap_remove(0).1,
            other @ (Tree::Leaf(_) | Tree::List(_) | Tree::Object(_)) => other,
        },
    };
}

/// Damages the written bytes now and then: a byte lost or changed, a text cut off, half a character.
pub fn damage(bytes: &mut Vec<u8>, chance: &mut Chance) {
    if bytes.is_empty() || !chance.one_in(25) {
        return;
    }
    let at = chance.below(bytes.len());
    match chance.below(5) {
        0 => bytes.truncate(at),
        1 => bytes[at] = *chance.pick(&[0, b'"', b'\\', 0x80, 0xC3, 0xFF, b'}', b',']),
        2 => drop(bytes.remove(at)),
        3 => bytes.insert(at, *chance.pick(&[0xE2, 0x80, 0xBF, b' ', b'{'])),
        _ => bytes.splice(0..0, [0xEF, 0xBB, 0xBF]).for_each(drop),
    }
}
