//! A reader of the XML that is written here: elements and attributes, no text. It panics at anything else.

#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Self>,
}

pub(super) fn read(xml: &str) -> Element {
    let body = xml.strip_prefix(super::DECLARATION).expect("a declaration");
    let (root, rest) = element(body);
    assert_eq!(rest, "", "something follows the root");
    assert_eq!(root.attributes[0], ("xmlns".to_owned(), "http://hl7.org/fhir".to_owned()));
    root
}

fn element(text: &str) -> (Element, &str) {
    let tag = text.strip_prefix('<').expect("an element");
    let end = tag.find([' ', '>', '/']).unwrap();
    let (name, mut rest) = tag.split_at(end);
    let mut read = Element { name: name.to_owned(), attributes: Vec::new(), children: Vec::new() };
    while let Some(after) = rest.strip_prefix(' ') {
        let (name, after) = after.split_once("=\"").unwrap();
        let (value, after) = after.split_once('"').unwrap();
        assert!(!value.contains(['<', '\n', '\r', '\t']), "a bare character");
        read.attributes.push((name.to_owned(), resolve(value)));
        rest = after;
    }
    if let Some(after) = rest.strip_prefix("/>") {
        return (read, after);
    }
    rest = rest.strip_prefix('>').unwrap();
    let close = format!("</{}>", read.name);
    loop {
        if let Some(after) = rest.strip_prefix(close.as_str()) {
            return (read, after);
        }
        let (child, after) = element(rest);
        read.children.push(child);
        rest = after;
    }
}

fn resolve(value: &str) -> String {
    let mut parts = value.split('&');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, after) = part.split_once(';').unwrap();
        out.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            number => char::from_u32(number.strip_prefix('#').unwrap().parse().unwrap()).unwrap(),
        });
        out.push_str(after);
    }
    out
}
