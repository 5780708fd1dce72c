//! Answers of one shape in growing sizes: what they cost must grow as they do.

/// A shape of answer by its name, and how it is written in a size.
pub type Shape = (&'static str, fn(usize) -> String);

/// Shapes that a careless step would make expensive.
pub const SHAPES: &[Shape] = &[
    ("equal keys", |size| {
        conditions(size, |_| {
            r#""code":{"coding":[{"system":"http://snomed.info/sct","code":"195967001"}]}"#.to_owned()
        })
    }),
    ("equal names, other codes", |size| {
        conditions(size, |n| {
            format!(
                r#""code":{{"coding":[{{"system":"http://snomed.info/sct","code":"{n}"}}],"text":"Asthma"}}"#
            )
        })
    }),
    ("one name, other contents", |size| {
        resources(size, |n| {
            format!(
                r#"{{"resourceType":"Condition","id":"1","subject":{{"reference":"Patient/p1"}},"onsetString":"{n}"}}"#
            )
        })
    }),
    ("no ids", |size| {
        resources(size, |n| {
            format!(r#"{{"resourceType":"Goal","subject":{{"reference":"Patient/p1"}},"note":"{n}"}}"#)
        })
    }),
    ("final and corrected", |size| {
        resources(size, |n| {
            let status = if n % 2 == 0 { "final" } else { "corrected" };
            format!(
                r#"{{"resourceType":"Observation","id":"{n}","subject":{{"reference":"Patient/p1"}},"status":"{status}","effectiveDateTime":"2026-03-02","code":{{"coding":[{{"system":"http://snomed.info/sct","code":"1"}}]}},"valueQuantity":{{"value":7.10}}}}"#
            )
        })
    }),
    ("chain of members", |size| {
        resources(size, |n| {
            format!(
                r#"{{"resourceType":"Observation","id":"{n}","subject":{{"reference":"Patient/p1"}},"related":[{{"type":"has-member","target":{{"reference":"Observation/{}"}}}}]}}"#,
                n + 1
            )
        })
    }),
    ("orders of one plan", |size| {
        resources(size, |n| {
            format!(
                r#"{{"resourceType":"MedicationRequest","id":"{n}","subject":{{"reference":"Patient/p1"}},"basedOn":[{{"reference":"MedicationRequest/0"}}],"medicationCodeableConcept":{{"text":"x"}}}}"#
            )
        })
    }),
    ("participants of one appointment", |size| {
        let actors: Vec<String> = (0..size).map(|_| r##"{"actor":{"reference":"#p"}}"##.to_owned()).collect();
        let numbers: Vec<String> = (0..size)
            .map(|_| r#"{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}"#.to_owned())
            .collect();
        resources(1, |_| {
            format!(
                r#"{{"resourceType":"Appointment","id":"1","contained":[{{"resourceType":"Patient","id":"p","identifier":[{}]}}],"participant":[{}]}}"#,
                numbers.join(","),
                actors.join(",")
            )
        })
    }),
    ("members of one resource", |size| {
        let members: Vec<String> =
            (0..size).map(|n| format!(r#""k{n}":{{"reference":"Condition/{n}"}}"#)).collect();
        resources(1, |_| {
            format!(
                r#"{{"resourceType":"Observation","id":"1","subject":{{"reference":"Patient/p1"}},{}}}"#,
                members.join(",")
            )
        })
    }),
    ("related of one observation", |size| {
        let related: Vec<String> = (0..size)
            .map(|n| format!(r#"{{"type":"derived-from","target":{{"reference":"Media/{n}"}}}}"#))
            .collect();
        resources(1, |_| {
            format!(
                r#"{{"resourceType":"Observation","id":"1","subject":{{"reference":"Patient/p1"}},"related":[{}]}}"#,
                related.join(",")
            )
        })
    }),
    ("extensions of one resource", |size| {
        let extensions: Vec<String> = (0..size)
            .map(|n| {
                format!(
                    r#"{{"url":"https://x/Extension-CareConnect-GPC-ListWarningCode-1","valueCode":"{n}"}}"#
                )
            })
            .collect();
        resources(1, |_| {
            format!(
                r#"{{"resourceType":"List","id":"1","subject":{{"reference":"Patient/p1"}},"extension":[{}]}}"#,
                extensions.join(",")
            )
        })
    }),
    ("contained in one list", |size| {
        let contained: Vec<String> = (0..size).map(|n| format!(r#"{{"resourceType":"AllergyIntolerance","id":"{n}","clinicalStatus":"resolved","assertedDate":"2012","code":{{"text":"nuts {n}"}}}}"#)).collect();
        resources(1, |_| {
            format!(
                r#"{{"resourceType":"List","id":"1","subject":{{"reference":"Patient/p1"}},"contained":[{}]}}"#,
                contained.join(",")
            )
        })
    }),
    ("services of one referral", |size| {
        let services: Vec<String> = (0..size).map(|n| format!(r#"{{"text":"service {n}"}}"#)).collect();
        let notes: Vec<String> = (0..size).map(|n| format!(r#"{{"text":"note {n}"}}"#)).collect();
        resources(1, |_| {
            format!(
                r#"{{"resourceType":"ReferralRequest","id":"1","subject":{{"reference":"Patient/p1"}},"description":"x","serviceRequested":[{}],"note":[{}]}}"#,
                services.join(","),
                notes.join(",")
            )
        })
    }),
    ("activities of one plan", |size| {
        let activities: Vec<String> = (0..size)
            .map(|n| {
                format!(r#"{{"detail":{{"category":{{"text":"{n}"}},"prohibited":true,"status":"x"}}}}"#)
            })
            .collect();
        resources(1, |_| {
            format!(
                r#"{{"resourceType":"CarePlan","id":"1","subject":{{"reference":"Patient/p1"}},"activity":[{}]}}"#,
                activities.join(",")
            )
        })
    }),
    ("items of one questionnaire", |size| {
        let items: Vec<String> = (0..size).map(|n| format!(r#"{{"linkId":"{n}","subject":{{"reference":"Patient/p1"}},"answer":[{{"valueString":"x"}}]}}"#)).collect();
        resources(1, |_| {
            format!(
                r#"{{"resourceType":"QuestionnaireResponse","id":"1","subject":{{"reference":"Patient/p1"}},"item":[{}]}}"#,
                items.join(",")
            )
        })
    }),
    ("doses of one medicine", |size| {
        let doses: Vec<String> = (0..size)
            .map(|n| format!(r#"{{"text":"{n} daily","doseQuantity":{{"value":1.0}},"rateRatio":{{}}}}"#))
            .collect();
        resources(1, |_| {
            format!(
                r#"{{"resourceType":"MedicationStatement","id":"1","taken":"n","subject":{{"reference":"Patient/p1"}},"dosage":[{}]}}"#,
                doses.join(",")
            )
        })
    }),
];

fn conditions(size: usize, members: impl Fn(usize) -> String) -> String {
    resources(size, |n| {
        format!(
            r#"{{"resourceType":"Condition","id":"{n}","subject":{{"reference":"Patient/p1"}},{}}}"#,
            members(n)
        )
    })
}

/// A Bundle of the patient and so many resources.
fn resources(size: usize, one: impl Fn(usize) -> String) -> String {
    let entries: Vec<String> = (0..size).map(|n| format!(r#"{{"resource":{}}}"#, one(n))).collect();
    format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{{"resourceType":"Patient","id":"p1","identifier":[{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000107"}}]}}}},{}]}}"#,
        entries.join(",")
    )
}
