//! The order of elements in STU3, for the resources that are written and the types inside them.
//! <https://hl7.org/fhir/STU3/>, one page a resource, and `datatypes.html`.

/// What the elements of a type are called, in order. `name:Type` has values of another type in this table;
/// a bare name has primitives. `name[x]` is a choice: its type is what follows the name in JSON.
const TYPES: &[(&str, &str)] = &[
    // Resources.
    ("Bundle", "identifier:Identifier type total link:Bundle.link entry:Bundle.entry signature:Signature"),
    ("Bundle.link", "relation url"),
    (
        "Bundle.entry",
        "link:Bundle.link fullUrl resource:Resource search:Bundle.search request:Bundle.request \
         response:Bundle.response",
    ),
    ("Bundle.search", "mode score"),
    ("Bundle.request", "method url ifNoneMatch ifModifiedSince ifMatch ifNoneExist"),
    ("Bundle.response", "status location etag lastModified outcome:Resource"),
    (
        "CapabilityStatement",
        "url version name title status experimental date publisher contact:ContactDetail description \
         useContext:UsageContext jurisdiction:CodeableConcept purpose copyright kind instantiates \
         software:Capability.software implementation:Capability.implementation fhirVersion acceptUnknown \
         format patchFormat implementationGuide profile:Reference rest:Capability.rest \
         messaging:Capability.messaging document:Capability.document",
    ),
    ("Capability.software", "name version releaseDate"),
    ("Capability.implementation", "description url"),
    (
        "Capability.rest",
        "mode documentation security:Capability.security resource:Capability.resource \
         interaction:Capability.interaction searchParam:Capability.searchParam \
         operation:Capability.operation compartment",
    ),
    ("Capability.security", "cors service:CodeableConcept description certificate:Capability.certificate"),
    ("Capability.certificate", "type blob"),
    (
        "Capability.resource",
        "type profile:Reference documentation interaction:Capability.interaction versioning readHistory \
         updateCreate conditionalCreate conditionalRead conditionalUpdate conditionalDelete \
         referencePolicy searchInclude searchRevInclude searchParam:Capability.searchParam",
    ),
    ("Capability.interaction", "code documentation"),
    ("Capability.searchParam", "name definition type documentation"),
    ("Capability.operation", "name definition:Reference"),
    (
        "Capability.messaging",
        "endpoint:Capability.endpoint reliableCache documentation supportedMessage:Capability.message \
         event:Capability.event",
    ),
    ("Capability.endpoint", "protocol:Coding address"),
    ("Capability.message", "mode definition:Reference"),
    (
        "Capability.event",
        "code:Coding category mode focus request:Reference response:Reference documentation",
    ),
    ("Capability.document", "mode documentation profile:Reference"),
    (
        "DocumentReference",
        "masterIdentifier:Identifier identifier:Identifier status docStatus type:CodeableConcept \
         class:CodeableConcept subject:Reference created indexed author:Reference authenticator:Reference \
         custodian:Reference relatesTo:Document.relatesTo description securityLabel:CodeableConcept \
         content:Document.content context:Document.context",
    ),
    ("Document.relatesTo", "code target:Reference"),
    ("Document.content", "attachment:Attachment format:Coding"),
    (
        "Document.context",
        "encounter:Reference event:CodeableConcept period:Period facilityType:CodeableConcept \
         practiceSetting:CodeableConcept sourcePatientInfo:Reference related:Document.related",
    ),
    ("Document.related", "identifier:Identifier ref:Reference"),
    (
        "Location",
        "identifier:Identifier status operationalStatus:Coding name alias description mode \
         type:CodeableConcept telecom:ContactPoint address:Address physicalType:CodeableConcept \
         position:Location.position managingOrganization:Reference partOf:Reference endpoint:Reference",
    ),
    ("Location.position", "longitude latitude altitude"),
    ("OperationOutcome", "issue:Outcome.issue"),
    ("Outcome.issue", "severity code details:CodeableConcept diagnostics location expression"),
    (
        "Organization",
        "identifier:Identifier active type:CodeableConcept name alias telecom:ContactPoint address:Address \
         partOf:Reference contact:Organization.contact endpoint:Reference",
    ),
    ("Organization.contact", "purpose:CodeableConcept name:HumanName telecom:ContactPoint address:Address"),
    (
        "Patient",
        "identifier:Identifier active name:HumanName telecom:ContactPoint gender birthDate deceased[x] \
         address:Address maritalStatus:CodeableConcept multipleBirth[x] photo:Attachment \
         contact:Patient.contact animal:Patient.animal communication:Patient.communication \
         generalPractitioner:Reference managingOrganization:Reference link:Patient.link",
    ),
    (
        "Patient.contact",
        "relationship:CodeableConcept name:HumanName telecom:ContactPoint address:Address gender \
         organization:Reference period:Period",
    ),
    ("Patient.animal", "species:CodeableConcept breed:CodeableConcept genderStatus:CodeableConcept"),
    ("Patient.communication", "language:CodeableConcept preferred"),
    ("Patient.link", "other:Reference type"),
    (
        "Practitioner",
        "identifier:Identifier active name:HumanName telecom:ContactPoint address:Address gender birthDate \
         photo:Attachment qualification:Practitioner.qualification communication:CodeableConcept",
    ),
    (
        "Practitioner.qualification",
        "identifier:Identifier code:CodeableConcept period:Period issuer:Reference",
    ),
    (
        "PractitionerRole",
        "identifier:Identifier active period:Period practitioner:Reference organization:Reference \
         code:CodeableConcept specialty:CodeableConcept location:Reference healthcareService:Reference \
         telecom:ContactPoint availableTime:Role.availableTime notAvailable:Role.notAvailable \
         availabilityExceptions endpoint:Reference",
    ),
    ("Role.availableTime", "daysOfWeek allDay availableStartTime availableEndTime"),
    ("Role.notAvailable", "description during:Period"),
    // Data types.
    ("Address", "use type text line city district state postalCode country period:Period"),
    ("Annotation", "author[x] time text"),
    ("Attachment", "contentType language data url size hash title creation"),
    ("CodeableConcept", "coding:Coding text"),
    ("Coding", "system version code display userSelected"),
    ("ContactDetail", "name telecom:ContactPoint"),
    ("ContactPoint", "system value use rank period:Period"),
    ("Extension", "value[x]"),
    ("HumanName", "use text family given prefix suffix period:Period"),
    ("Identifier", "use type:CodeableConcept system value period:Period assigner:Reference"),
    ("Meta", "versionId lastUpdated profile security:Coding tag:Coding"),
    ("Narrative", "status div:xhtml"),
    ("Period", "start end"),
    ("Quantity", "value comparator unit system code"),
    ("Range", "low:Quantity high:Quantity"),
    ("Ratio", "numerator:Quantity denominator:Quantity"),
    ("Reference", "reference identifier:Identifier display"),
    ("SampledData", "origin:Quantity period factor lowerLimit upperLimit dimensions data"),
    ("Signature", "type:Coding when who[x] onBehalfOf[x] contentType blob"),
    ("Timing", "event repeat:Timing.repeat code:CodeableConcept"),
    (
        "Timing.repeat",
        "bounds[x] count countMax duration durationMax durationUnit frequency frequencyMax period periodMax \
         periodUnit dayOfWeek timeOfDay when offset",
    ),
    ("UsageContext", "code:Coding value[x]"),
];

/// Quantities under other names, as they stand behind a choice.
const QUANTITIES: &[&str] = &["Age", "Count", "Distance", "Duration", "Money"];

/// What every element can begin with. On resources, `id` stands here too, but as an element.
const ELEMENT: &str = "id url extension:Extension modifierExtension:Extension";
/// What every resource begins with; all but Bundle have the second half.
const RESOURCE: &str = "id meta:Meta implicitRules language text:Narrative contained:Resource \
                        extension:Extension modifierExtension:Extension";

/// The place of an element in its parent, and the type of its values; empty for primitives and what is
/// not known. Unknown elements have the last place.
pub(super) fn place(parent: &str, name: &str) -> (usize, &'static str) {
    let begin = if super::WRITTEN.contains(&parent) { RESOURCE } else { ELEMENT };
    let own = elements(parent).unwrap_or_default();
    // Only an extension has its address as an attribute; elsewhere `url` has its own place.
    let begin = begin.split(' ').filter(|element| *element != "url" || parent == "Extension");
    let found = begin.chain(own.split(' ')).enumerate().find_map(|(rank, element)| {
        let of_type = matching(element, name)?;
        Some((rank, of_type))
    });
    found.unwrap_or((usize::MAX, ""))
}

/// The type of `name`, if it is this element.
fn matching(element: &'static str, name: &str) -> Option<&'static str> {
    if let Some(choice) = element.strip_suffix("[x]") {
        let of_type = name.strip_prefix(choice)?;
        return of_type.starts_with(|c: char| c.is_ascii_uppercase()).then(|| known(of_type));
    }
    let (element, of_type) = element.split_once(':').unwrap_or((element, ""));
    (element == name).then_some(of_type)
}

/// The type's name in the table; empty for a primitive.
fn known(of_type: &str) -> &'static str {
    if QUANTITIES.contains(&of_type) {
        return "Quantity";
    }
    TYPES.iter().find_map(|(name, _)| (*name == of_type).then_some(*name)).unwrap_or_default()
}

fn elements(of_type: &str) -> Option<&'static str> {
    TYPES.iter().find_map(|(name, elements)| (*name == of_type).then_some(*elements))
}

#[cfg(test)]
pub(super) fn table() -> &'static [(&'static str, &'static str)] {
    TYPES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_is_named_is_in_the_table() {
        let all = TYPES.iter().map(|(_, elements)| *elements).chain([ELEMENT, RESOURCE]);
        for element in all.flat_map(|elements| elements.split(' ')) {
            let Some((_, of_type)) = element.split_once(':') else { continue };
            let known = matches!(of_type, "Resource" | "xhtml") || elements(of_type).is_some();
            assert!(known, "{element}");
        }
        for resource in super::super::WRITTEN {
            assert!(elements(resource).is_some(), "{resource}");
        }
    }

    #[test]
    fn a_choice_takes_its_type_from_the_name() {
        assert_eq!(place("Extension", "valueCodeableConcept").1, "CodeableConcept");
        assert_eq!(place("Extension", "valueDuration").1, "Quantity");
        assert_eq!(place("Extension", "valueDateTime").1, "");
        assert_eq!(place("Extension", "valued").0, usize::MAX);
        assert!(place("Patient", "birthDate").0 < place("Patient", "deceasedDateTime").0);
    }
}
