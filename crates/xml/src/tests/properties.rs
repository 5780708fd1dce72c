//! Whatever a resource holds, its XML holds the same.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use tributary_fhir::Writer;

/// Turns chance into resources: the same numbers make the same resource.
struct Chance {
    numbers: std::vec::IntoIter<u16>,
    words: std::vec::IntoIter<String>,
}

impl Chance {
    /// A number below `bound`; zero when the numbers have run out, which ends every loop and depth.
    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.numbers.next().unwrap_or_default()) % bound
    }

    fn resource(&mut self, json: &mut Writer, depth: usize) {
        let name = WRITTEN[self.below(WRITTEN.len())];
        json.object(|object| {
            object.text("resourceType", name);
            self.members(object, name, "id language contained:Resource implicitRules meta:Meta", depth);
        });
    }

    /// Some members of a type, in any order.
    fn members(&mut self, json: &mut Writer, of_type: &str, begin: &'static str, depth: usize) {
        let own = order::table().iter().find(|(name, _)| *name == of_type).map_or("", |(_, own)| own);
        let unknown = "extension:Extension beyond:Beyond further";
        let mut elements: Vec<&str> = [begin, own, unknown]
            .iter()
            .flat_map(|all| all.split(' '))
            .filter(|one| !one.is_empty())
            .collect();
        let first = self.below(elements.len());
        elements.rotate_left(first);
        let mut seen = Vec::new();
        for element in elements {
            let (name, of_type) = self.named(element);
            if self.below(3) == 0 || name == "div" || seen.contains(&name) {
                continue;
            }
            self.member(json, &name, &of_type, depth);
            seen.push(name);
        }
    }

    /// The name and type of an element; of a choice, one that it may have.
    fn named(&mut self, element: &str) -> (String, String) {
        if let Some(choice) = element.strip_suffix("[x]") {
            let types = ["String", "Period", "Decimal", "CodeableConcept", "Reference", "Quantity"];
            let of_type = types[self.below(types.len())];
            return (format!("{choice}{of_type}"), of_type.to_owned());
        }
        let (name, of_type) = element.split_once(':').unwrap_or((element, ""));
        (name.to_owned(), of_type.to_owned())
    }

    fn member(&mut self, json: &mut Writer, name: &str, of_type: &str, depth: usize) {
        let is_complex = of_type == "Resource"
            || of_type == "Beyond"
            || order::table().iter().any(|(known, _)| *known == of_type);
        if is_complex && depth == 0 {
            return;
        }
        let count = self.below(3);
        match (is_complex, name) {
            (true, _) => json.key(name).array(|list| {
                (0..count).for_each(|_| self.value(list, of_type, depth - 1));
            }),
            // Attributes have one value.
            (false, "id" | "url") => self.primitive(json.key(name)),
            (false, _) if count == 2 => self.pairs(json, name),
            (false, _) => self.primitive(json.key(name)),
        }
    }

    fn value(&mut self, json: &mut Writer, of_type: &str, depth: usize) {
        if of_type == "Resource" {
            self.resource(json, depth);
        } else {
            json.object(|object| self.members(object, of_type, "id", depth));
        }
    }

    /// A repeating primitive with something beside each second value.
    fn pairs(&mut self, json: &mut Writer, name: &str) {
        json.key(name).array(|list| {
            self.primitive(list);
            list.raw(|out| out.push_str("null"));
            self.primitive(list);
        });
        json.key(&format!("_{name}")).array(|list| {
            list.raw(|out| out.push_str("null"));
            list.object(|beside| self.primitive(beside.key("id")));
        });
    }

    fn primitive(&mut self, json: &mut Writer) {
        match self.below(6) {
            0 => json.truth(true),
            1 => json.raw(|out| out.push_str("-7.10e+0")),
            _ => json.string(&self.words.next().unwrap_or_else(|| "word".to_owned())),
        }
    }
}

/// Words with every character that XML can carry and some that need care.
fn word() -> impl Strategy<Value = String> {
    "[a-z<>&\"'\t\r\n é\u{2028}\u{85}\u{fffd}\u{10ffff}\\]\\[;#=/!-]{0,12}"
}

proptest! {
    #[test]
    fn xml_holds_what_the_json_holds(
        numbers in vec(any::<u16>(), 0..600),
        words in vec(word(), 0..60),
    ) {
        let mut chance = Chance { numbers: numbers.into_iter(), words: words.into_iter() };
        let mut json = Writer::default();
        chance.resource(&mut json, 6);
        same_values(&scan(&json.finish()));
    }

    #[test]
    fn any_text_is_written_whole_or_refused(text in any::<String>()) {
        let mut json = Writer::default();
        json.record([("resourceType", "Location"), ("description", &text)]);
        let document = scan(&json.finish());
        match to_xml(&document) {
            Ok(_) => same_values(&document),
            Err(refusal) => {
                prop_assert_eq!(refusal, XmlRefused::Character("description".to_owned()));
                prop_assert!(!text.chars().all(escape::is_char));
            }
        }
    }

    #[test]
    fn any_narrative_is_judged_without_panic(text in "<div xmlns=\"http://www.w3.org/1999/xhtml\"[<>/a&;!\\[\\]= \"'-]{0,40}") {
        let _judged = xhtml::is_div(&text);
    }
}
