//! The rules of FHIR XML, one by one.

use super::*;

#[test]
fn a_document_declares_itself_and_its_namespace_once() {
    let xml = to_xml(&scan(
        r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"1"}}]}"#,
    ))
    .unwrap();
    assert_eq!(
        xml,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Bundle xmlns=\"http://hl7.org/fhir\"><entry><resource>\
         <Patient><id value=\"1\"/></Patient></resource></entry></Bundle>"
    );
}

#[test]
fn elements_stand_in_the_order_of_the_specification() {
    let json = r#"{"birthDate":"1970-01-01","name":[{"given":["A","B"],"family":"C","use":"official"}],
        "identifier":[{"value":"9","system":"s"}],"meta":{"profile":["p"],"versionId":"2"},"id":"1",
        "resourceType":"Patient","gender":"female","deceasedDateTime":"2001","active":true}"#;
    assert_eq!(
        written(json),
        "<Patient><id value=\"1\"/><meta><versionId value=\"2\"/><profile value=\"p\"/></meta>\
         <identifier><system value=\"s\"/><value value=\"9\"/></identifier><active value=\"true\"/>\
         <name><use value=\"official\"/><family value=\"C\"/><given value=\"A\"/><given value=\"B\"/></name>\
         <gender value=\"female\"/><birthDate value=\"1970-01-01\"/><deceasedDateTime value=\"2001\"/></Patient>"
    );
}

#[test]
fn order_holds_inside_backbone_elements() {
    let json = r#"{"resourceType":"CapabilityStatement","rest":[{"operation":[{"definition":
        {"reference":"d"},"name":"n"}],"resource":[{"searchParam":[{"type":"token","name":"identifier"}],
        "interaction":[{"code":"read"}],"type":"Patient"}],"security":{"cors":false},"mode":"server"}],
        "format":["a","b"],"fhirVersion":"3.0.1","software":{"version":"1","name":"n"},"kind":"capability"}"#;
    assert_eq!(
        written(json),
        "<CapabilityStatement><kind value=\"capability\"/><software><name value=\"n\"/><version value=\"1\"/>\
         </software><fhirVersion value=\"3.0.1\"/><format value=\"a\"/><format value=\"b\"/><rest>\
         <mode value=\"server\"/><security><cors value=\"false\"/></security><resource>\
         <type value=\"Patient\"/><interaction><code value=\"read\"/></interaction><searchParam>\
         <name value=\"identifier\"/><type value=\"token\"/></searchParam></resource><operation>\
         <name value=\"n\"/><definition><reference value=\"d\"/></definition></operation></rest>\
         </CapabilityStatement>"
    );
}

#[test]
fn the_type_of_an_element_follows_from_its_parent() {
    // `name` is a HumanName on a contact of an organisation and a string on the organisation itself.
    let json =
        r#"{"resourceType":"Organization","contact":[{"name":{"given":["a"],"text":"b"}}],"name":"c"}"#;
    assert_eq!(
        written(json),
        "<Organization><name value=\"c\"/><contact><name><text value=\"b\"/><given value=\"a\"/></name>\
         </contact></Organization>"
    );
    let json =
        r#"{"resourceType":"Patient","generalPractitioner":[{"display":"d","reference":"Practitioner/1"}]}"#;
    assert_eq!(
        written(json),
        "<Patient><generalPractitioner><reference value=\"Practitioner/1\"/><display value=\"d\"/>\
         </generalPractitioner></Patient>"
    );
}

#[test]
fn ids_of_elements_and_addresses_of_extensions_are_attributes() {
    let json = r#"{"resourceType":"Patient","id":"1","address":[{"city":"x","id":"a1"}],"extension":[
        {"valueCodeableConcept":{"text":"t","coding":[{"code":"c","system":"s"}]},"url":"u","id":"e1"},
        {"url":"outer","extension":[{"url":"inner","valueBoolean":true}]}]}"#;
    assert_eq!(
        written(json),
        "<Patient><id value=\"1\"/><extension id=\"e1\" url=\"u\"><valueCodeableConcept><coding>\
         <system value=\"s\"/><code value=\"c\"/></coding><text value=\"t\"/></valueCodeableConcept>\
         </extension><extension url=\"outer\"><extension url=\"inner\"><valueBoolean value=\"true\"/>\
         </extension></extension><address id=\"a1\"><city value=\"x\"/></address></Patient>"
    );
    // Elsewhere `url` is an element.
    let json = r#"{"resourceType":"Bundle","link":[{"url":"u","relation":"self"}]}"#;
    assert_eq!(written(json), "<Bundle><link><relation value=\"self\"/><url value=\"u\"/></link></Bundle>");
}

#[test]
fn members_with_an_underscore_join_their_primitive() {
    let json = r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"t","valueTime":"09:00:00"}],
        "id":"b"},"birthDate":"1970-01-01","_gender":{"extension":[{"url":"u","valueCode":"x"}]}}"#;
    assert_eq!(
        written(json),
        "<Patient><gender><extension url=\"u\"><valueCode value=\"x\"/></extension></gender>\
         <birthDate id=\"b\" value=\"1970-01-01\"><extension url=\"t\"><valueTime value=\"09:00:00\"/>\
         </extension></birthDate></Patient>"
    );
}

#[test]
fn nulls_keep_primitives_and_their_extensions_in_pairs() {
    let json = r#"{"resourceType":"Patient","name":[{"given":["a",null,"c"],
        "_given":[null,{"id":"g2"},{"id":"g3"},{"id":"g4"}]}]}"#;
    assert_eq!(
        written(json),
        "<Patient><name><given value=\"a\"/><given id=\"g2\"/><given id=\"g3\" value=\"c\"/>\
         <given id=\"g4\"/></name></Patient>"
    );
}

#[test]
fn numbers_and_booleans_keep_their_text() {
    let json = r#"{"resourceType":"Location","position":{"latitude":7.10,"longitude":-0.0,
        "altitude":1E+2}}"#;
    assert_eq!(
        written(json),
        "<Location><position><longitude value=\"-0.0\"/><latitude value=\"7.10\"/><altitude value=\"1E+2\"/>\
         </position></Location>"
    );
}

#[test]
fn resources_inside_others_stand_in_an_element_of_their_type() {
    let json = r#"{"resourceType":"Practitioner","active":true,"contained":[{"id":"o","resourceType":
        "Organization"},{"resourceType":"Location","id":"l"}]}"#;
    assert_eq!(
        written(json),
        "<Practitioner><contained><Organization><id value=\"o\"/></Organization></contained><contained>\
         <Location><id value=\"l\"/></Location></contained><active value=\"true\"/></Practitioner>"
    );
    let json = r#"{"resourceType":"Bundle","entry":[{"response":{"outcome":{"resourceType":
        "OperationOutcome","issue":[{"code":"x","severity":"error"}]},"status":"404"}}]}"#;
    assert_eq!(
        written(json),
        "<Bundle><entry><response><status value=\"404\"/><outcome><OperationOutcome><issue>\
         <severity value=\"error\"/><code value=\"x\"/></issue></OperationOutcome></outcome></response>\
         </entry></Bundle>"
    );
}

#[test]
fn another_resource_type_is_refused_by_name_at_any_depth() {
    let named = |name: &str| XmlRefused::Resource(name.to_owned());
    assert_eq!(refused(r#"{"resourceType":"Observation"}"#), named("Observation"));
    assert_eq!(refused(r#"{"resourceType":"Binary"}"#), named("Binary"));
    let entry = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","contained":[
        {"resourceType":"List"}]}}]}"#;
    assert_eq!(refused(entry), named("List"));
    assert_eq!(
        refused(r#"{"resourceType":"Patient","odd":{"resourceType":"Condition"}}"#),
        named("Condition")
    );
    // What has no type, and what may be anything but a type, is not repeated.
    assert_eq!(refused(r#"{"resourceType":"Bundle","entry":[{"resource":{"id":"1"}}]}"#), named(""));
    assert_eq!(refused(r#"{"resourceType":"999 000 0000"}"#), named(""));
    assert_eq!(refused("[]"), named(""));
}

#[test]
fn unknown_elements_follow_the_known_ones_in_the_form_of_their_shape() {
    let json = r#"{"resourceType":"Patient","zeta":[{"b":1,"extension":[{"url":"u"}],"id":"i","url":"x"}],
        "alpha":["x","y"],"gender":"male","_alpha":[null,{"id":"y1"}],"active":{"odd":true}}"#;
    assert_eq!(
        written(json),
        "<Patient><active><odd value=\"true\"/></active><gender value=\"male\"/><zeta id=\"i\">\
         <extension url=\"u\"/><b value=\"1\"/><url value=\"x\"/></zeta><alpha value=\"x\"/>\
         <alpha id=\"y1\" value=\"y\"/></Patient>"
    );
}

#[test]
fn what_has_no_form_in_xml_is_refused() {
    let shape = |name: &str| XmlRefused::Shape(name.to_owned());
    for (json, name) in [
        (r#"{"resourceType":"Patient","name":[["a"]]}"#, "name"),
        (r#"{"resourceType":"Patient","name":[{"text":"a"}],"_name":[{"id":"b"}]}"#, "name"),
        (r#"{"resourceType":"Patient","_gender":"x"}"#, "gender"),
        (r#"{"resourceType":"Patient","name":[{"_id":{"id":"x"},"id":"a"}]}"#, "id"),
        (r#"{"resourceType":"Patient","name":[{"id":["a","b"]}]}"#, "id"),
        (r#"{"resourceType":"Patient","extension":[{"url":{"a":"b"}}]}"#, "url"),
        (r#"{"resourceType":"Patient","contained":["words"]}"#, "contained"),
        (r#"{"resourceType":"Patient","text":{"_div":{"id":"a"}}}"#, "div"),
        (r#"{"resourceType":"Patient","two words":"x"}"#, ""),
        (r#"{"resourceType":"Patient","<a>":"x"}"#, ""),
        (r#"{"resourceType":"Patient","":"x"}"#, ""),
        (r#"{"resourceType":"Patient","a:b":"x"}"#, ""),
    ] {
        assert_eq!(refused(json), shape(name), "{json}");
    }
}

#[test]
fn markup_and_white_space_are_escaped() {
    let json = r#"{"resourceType":"Location","description":"<a & \"b\"> 'c'\t\r\n é 😀 \u2028\u0085\u007f"}"#;
    assert_eq!(
        written(json),
        "<Location><description value=\"&lt;a &amp; &quot;b&quot;&gt; 'c'&#9;&#13;&#10; é 😀 \
         \u{2028}\u{85}\u{7f}\"/></Location>"
    );
}

#[test]
fn a_character_that_xml_cannot_carry_is_refused() {
    for character in ["\\u0000", "\\u0008", "\\u000b", "\\f", "\\u001f", "\\ufffe", "\\uffff"] {
        let json = format!(r#"{{"resourceType":"Location","description":"a{character}b"}}"#);
        assert_eq!(refused(&json), XmlRefused::Character("description".to_owned()), "{character}");
    }
}

#[test]
fn a_narrative_is_embedded_as_it_is() {
    let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p class='x'>a &amp; b<br/></p></div>";
    let json = format!(
        r#"{{"resourceType":"Organization","name":"n","text":{{"div":{},"status":"generated"}}}}"#,
        tributary_fhir::json::quoted(div)
    );
    let expected = format!(
        "<Organization><text><status value=\"generated\"/>{div}</text><name value=\"n\"/></Organization>"
    );
    assert_eq!(written(&json), expected);
}

#[test]
fn a_narrative_that_is_no_xhtml_is_refused() {
    for div in [r#""<div>a</div>""#, r#""a < b""#, "1", r#""""#] {
        let json = format!(r#"{{"resourceType":"Organization","text":{{"div":{div}}}}}"#);
        assert_eq!(refused(&json), XmlRefused::Narrative, "{div}");
    }
}

#[test]
fn nothing_said_is_nothing_written() {
    assert_eq!(written(r#"{"resourceType":"Patient"}"#), "<Patient/>");
    assert_eq!(
        written(r#"{"resourceType":"Patient","name":[],"photo":null,"contact":[{}]}"#),
        "<Patient><contact/></Patient>"
    );
}

#[test]
fn every_refusal_reads_without_content() {
    let refusals = [
        refused(r#"{"resourceType":"List"}"#),
        refused(r#"{"resourceType":"Patient","name":[["secret"]]}"#),
        refused(r#"{"resourceType":"Patient","gender":"secret\u0000"}"#),
        refused(r#"{"resourceType":"Patient","text":{"div":"secret"}}"#),
    ];
    for refusal in refusals {
        let words = refusal.to_string();
        assert!(!words.contains("secret") && !words.ends_with('.'), "{words}");
    }
}
