use super::*;
use tributary_fhir::Limits;

mod properties;
mod reader;
mod recorded;
mod rules;

fn scan(json: &str) -> Document {
    Document::scan(json.as_bytes().to_vec(), &Limits::default()).unwrap()
}

/// The XML of a resource, without what every document begins with.
#[track_caller]
fn written(json: &str) -> String {
    let xml = to_xml(&scan(json)).unwrap();
    xml.strip_prefix(DECLARATION).unwrap().replacen(NAMESPACE, "", 1)
}

#[track_caller]
fn refused(json: &str) -> XmlRefused {
    to_xml(&scan(json)).expect_err("refused")
}

/// What a document says: the path of each value, with the number of each repetition, and its text.
type Leaves = Vec<(String, String)>;

/// The leaves of a JSON resource, in the paths that its XML has.
fn json_leaves(resource: Json<'_>, path: &str, leaves: &mut Leaves) {
    let path = format!("{path}/{}", resource.text_at("resourceType").unwrap());
    for (name, value) in resource.members().filter(|(name, _)| *name != "resourceType") {
        json_field(name, value, &path, leaves);
    }
}

fn json_field(name: &str, value: Json<'_>, path: &str, leaves: &mut Leaves) {
    let name = name.strip_prefix('_').unwrap_or(name);
    for (index, value) in value.each().enumerate() {
        let path = format!("{path}/{name}[{index}]");
        match value.kind() {
            Kind::Null => {}
            Kind::Array => panic!("an array in an array"),
            Kind::Object if value.get("resourceType").is_some() => json_leaves(value, &path, leaves),
            Kind::Object => value.members().for_each(|(name, value)| json_field(name, value, &path, leaves)),
            Kind::String => leaves.push((path, value.text().unwrap().into_owned())),
            Kind::Number | Kind::True | Kind::False => leaves.push((path, value.raw().to_owned())),
        }
    }
}

/// The leaves of an XML element.
fn xml_leaves(element: &reader::Element, path: &str, leaves: &mut Leaves) {
    for (name, value) in element.attributes.iter().filter(|(name, _)| name != "xmlns") {
        let path = if name == "value" { path.to_owned() } else { format!("{path}/{name}[0]") };
        leaves.push((path, value.clone()));
    }
    for (at, child) in element.children.iter().enumerate() {
        let index = element.children[..at].iter().filter(|other| other.name == child.name).count();
        let is_resource = child.name.starts_with(|c: char| c.is_ascii_uppercase());
        let step = if is_resource { child.name.clone() } else { format!("{}[{index}]", child.name) };
        xml_leaves(child, &format!("{path}/{step}"), leaves);
    }
}

/// Writes a resource, reads it again, and compares every value.
#[track_caller]
fn same_values(document: &Document) {
    let xml = to_xml(document).unwrap();
    let root = reader::read(&xml);
    let (mut before, mut after) = (Leaves::new(), Leaves::new());
    json_leaves(document.root(), "", &mut before);
    xml_leaves(&root, &format!("/{}", root.name), &mut after);
    before.sort();
    after.sort();
    assert_eq!(before, after, "{xml}");
}
