//! A structured record of an invented patient, as long as it is wanted.

/// The invented patient (a number of the range that is never given out).
pub(crate) const NHS_NUMBER: &str = "9990000107";

const HEAD: &str = r#"{"resourceType":"Bundle","id":"00000000-0000-4000-8000-000000000000","meta":{"profile":["https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-StructuredRecord-Bundle-1"]},"type":"collection","entry":["#;

const PATIENT: &str = r#"{"resource":{"resourceType":"Patient","id":"load-patient","meta":{"versionId":"1","profile":["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-Patient-1"]},"identifier":[{"extension":[{"url":"https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-NHSNumberVerificationStatus-1","valueCodeableConcept":{"coding":[{"system":"https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1","code":"01","display":"Number present and verified"}]}}],"system":"https://fhir.nhs.uk/Id/nhs-number","value":"@nhs"}],"active":true,"name":[{"use":"official","text":"Load Measured","family":"Measured","given":["Load"]}],"gender":"other","birthDate":"1970-01-01","managingOrganization":{"reference":"Organization/load-practice"}}}"#;

const PRACTICE: &str = r#"{"resource":{"resourceType":"Organization","id":"load-practice","meta":{"versionId":"1","profile":["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-Organization-1"]},"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"A99901"}],"name":"Practice for load"}}"#;

const CLINICIAN: &str = r#"{"resource":{"resourceType":"Practitioner","id":"load-clinician","meta":{"versionId":"1","profile":["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-Practitioner-1"]},"identifier":[{"system":"https://fhir.nhs.uk/Id/sds-user-id","value":"UNK"}],"name":[{"use":"official","family":"Clinician","given":["Load"]}]}}"#;

/// About 1,200 bytes, as entries of real records are; `@n` is its number.
const OBSERVATION: &str = r#"{"resource":{"resourceType":"Observation","id":"load-observation-@n","meta":{"versionId":"@n","profile":["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-Observation-1"]},"identifier":[{"system":"https://gp.load.example.test/observation","value":"load-observation-@n"}],"status":"final","code":{"coding":[{"extension":[{"url":"https://fhir.nhs.uk/STU3/StructureDefinition/Extension-coding-sctdescid","extension":[{"url":"descriptionId","valueId":"106020018"}]}],"system":"http://snomed.info/sct","code":"364075005","display":"Heart rate","userSelected":true},{"system":"http://read.info/readv2","code":"242..00","display":"O/E - pulse rate"}],"text":"Heart rate"},"subject":{"reference":"Patient/load-patient"},"effectiveDateTime":"2026-01-05T09:30:00+00:00","issued":"2026-01-05T09:30:00.000+00:00","performer":[{"reference":"Practitioner/load-clinician"},{"reference":"Organization/load-practice"}],"valueQuantity":{"value":72.@n,"unit":"beats/min","system":"http://unitsofmeasure.org","code":"/min"},"comment":"Counted over a whole minute, at rest, number @n of this record; \"regular\" throughout."}}"#;

const LIST: &str = r#"{"resource":{"resourceType":"List","id":"load-list","meta":{"versionId":"1","profile":["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-List-1"]},"status":"current","mode":"snapshot","title":"Miscellaneous record","code":{"coding":[{"system":"http://snomed.info/sct","code":"826501000000100","display":"Miscellaneous record"}]},"subject":{"reference":"Patient/load-patient"},"date":"2026-01-05T09:30:00+00:00","entry":["#;

/// A Bundle of at least this many bytes, and of hardly more.
pub(crate) fn bundle(bytes: usize) -> String {
    let mut text = HEAD.to_owned();
    for resource in [PATIENT, PRACTICE, CLINICIAN] {
        text.push_str(&resource.replace("@nhs", NHS_NUMBER));
        text.push(',');
    }
    let mut items: Vec<String> = Vec::new();
    let mut listed = LIST.len();
    while text.len() + listed < bytes {
        let number = items.len().to_string();
        text.push_str(&OBSERVATION.replace("@n", &number));
        text.push(',');
        let item = format!(r#"{{"item":{{"reference":"Observation/load-observation-{number}"}}}}"#);
        listed += item.len() + 1;
        items.push(item);
    }
    format!("{text}{LIST}{}]}}}}]}}", items.join(","))
}
