"""STU3 answers in which every element is used: what the conversion to R4 has to cope with.

`generate.py FOLDER --modules NODE_MODULES`. Made from the classes of `fhir.resources` and the codes of HL7's schemas,
so nobody who knows our conversion chose what is in them. Answer number n holds each resource type once, with every
element or with those alone that must be there; each takes the n-th of its codes, the n-th of its types (`value[x]`) and
the n-th of the types it may refer to.
"""

import argparse
import json
import typing
from pathlib import Path

import fhir.resources.STU3 as stu3

from schemas import Schemas

# The types that GP Connect and the connectors to hospitals deal with.
KINDS = (
    "AllergyIntolerance Appointment CarePlan Condition DiagnosticReport DocumentReference Encounter EpisodeOfCare Flag "
    "HealthcareService Immunization List Location Medication MedicationAdministration MedicationDispense "
    "MedicationRequest MedicationStatement Observation Organization Practitioner PractitionerRole Procedure "
    "ProcedureRequest QuestionnaireResponse ReferralRequest RelatedPerson Schedule Slot Specimen Task"
).split()
PLAIN = {
    "Id": "x", "String": "text", "Code": "x", "Uri": "http://example.org/x", "Url": "http://example.org/x",
    "DateTime": "2019-03-28T10:30:00+00:00", "Date": "2019-03-28", "Instant": "2019-03-28T10:30:00+00:00",
    "Time": "10:30:00", "Decimal": 7.5, "PositiveInt": 1, "UnsignedInt": 1, "Integer": 1, "Boolean": True,
    "EncodedBytes": "eA==", "Base64Binary": "eA==", "Markdown": "text", "Oid": "urn:oid:1.2.3", "Uuid": "urn:uuid:9b3c0f5e-0000-4000-8000-00000000000a",
}  # fmt: skip
XHTML = '<div xmlns="http://www.w3.org/1999/xhtml">text</div>'
# Codes that the schemas do not list, from https://hl7.org/fhir/STU3/: by element, or by type and element.
EVENT = ["preparation", "in-progress", "suspended", "aborted", "completed", "entered-in-error", "unknown"]
REQUEST = ["draft", "active", "suspended", "cancelled", "completed", "entered-in-error", "unknown"]
CODES = {
    "language": ["en-GB"],
    "contentType": ["text/plain"],
    "currency": ["GBP"],
    "comparator": ["<", "<=", ">=", ">"],
    "daysOfWeek": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    "docStatus": ["preliminary", "final", "appended", "amended", "entered-in-error"],
    "priority": ["routine", "urgent", "asap", "stat"],
    "intent": ["proposal", "plan", "order", "original-order", "reflex-order", "filler-order", "instance-order", "option"],
    "Condition.clinicalStatus": ["inactive", "remission", "resolved"],
    "Immunization.status": ["completed", "entered-in-error"],
    "Procedure.status": EVENT,
    "ProcedureRequest.status": REQUEST,
    "ReferralRequest.status": REQUEST,
}
NUMBER = "9990000107"
SUBJECTS = ("subject", "patient", "for", "individual")
# Not filled: what belongs to the envelope, and what repeats itself.
ENVELOPE = {"id", "meta", "implicitRules", "contained", "extension", "modifierExtension", "fhir_comments", "resourceType"}
DEPTH = 5


class Maker:
    """Makes the n-th of everything: every element, or (`bare`) only those that must be there."""

    def __init__(self, definitions, turn, bare=False):
        self.definitions = definitions
        self.turn = turn
        self.bare = bare

    def one_of(self, choices):
        return choices[self.turn % len(choices)]

    def made(self, kind, name, depth=0):
        """A value of a complex type; `name` is that of its structure in the schemas."""
        fields = stu3.get_fhir_model_class(kind).model_fields
        own = {(field.alias or key): field for key, field in fields.items()}
        own = {key: field for key, field in own.items() if key not in ENVELOPE and not key.startswith("_")}
        choices = {}
        for key, field in own.items():
            group = extra_of(field).get("one_of_many")
            if group:
                choices.setdefault(group, []).append(key)
        chosen = {self.one_of(keys) for keys in choices.values()}
        made = {}
        for key, field in own.items():
            if extra_of(field).get("one_of_many") and key not in chosen:
                continue
            value = self.value(key, field, name, depth)
            if value is not None:
                made[key] = value
        return sound(kind, made, self.turn)

    def leaves_out(self, key, field, depth):
        """Whether an element that may be missing is missing. Whose record it is is always said."""
        extra = extra_of(field)
        may = type(None) in typing.get_args(field.annotation)
        must = not may or extra.get("element_required") or extra.get("one_of_many_required")
        return not must and (depth >= DEPTH or (self.bare and not (depth == 0 and key in (*SUBJECTS, "clinicalStatus"))))

    def value(self, key, field, parent, depth):
        if self.leaves_out(key, field, depth):
            return None
        of_type, is_list = unpacked(field.annotation)
        value = self.single(key, of_type, extra_of(field), parent, depth)
        return [value] if is_list and value is not None else value

    def single(self, key, of_type, extra, parent, depth):
        name = getattr(of_type, "__name__", "")
        if of_type is bool:
            return bool(self.turn % 2)
        if typing.get_origin(of_type) is typing.Annotated:
            return self.plain(key, type(of_type.__metadata__[0]).__name__, parent)
        kind = name.removesuffix("Type")
        if kind == "Reference":
            return self.reference(key, extra.get("enum_reference_types") or [])
        if kind in ("Resource", "Extension"):
            return None
        name = structure(kind, self.definitions)
        # Nothing in it must be there, but something must.
        whole = Maker(self.definitions, self.turn)
        return self.made(kind, name, depth + 1) or whole.made(kind, name, DEPTH - 1) or None

    def plain(self, key, kind, parent):
        if kind == "Xhtml":
            return XHTML
        rule = self.definitions.get(parent, {})
        properties = [part.get("properties", {}) for part in [rule, *rule.get("allOf", [])]]
        of_key = next((one[key] for one in properties if key in one), {})
        codes = of_key.get("enum") or of_key.get("items", {}).get("enum")
        if kind == "Code" and not codes:
            codes = CODES.get(f"{parent}.{key}") or CODES.get(key)
        return self.one_of(codes) if codes else PLAIN[kind]

    def reference(self, key, kinds):
        if key in SUBJECTS and (not kinds or "Patient" in kinds):
            return {"reference": "Patient/patient"}
        # What may refer to anything refers to a request: R4 allows that everywhere.
        kind = self.one_of([one for one in kinds if one != "Resource"] or ["ProcedureRequest"])
        return {"reference": f"{kind}/{kind}-1", "display": "text"}


def extra_of(field):
    return field.json_schema_extra or {}


def sound(kind, made, turn):
    """Without what may not stand together; by turns, where either may go."""
    drop = []
    if kind == "CarePlanActivity":  # cpl-3
        drop = [("reference", "detail")[turn % 2]]
    elif kind in ("Observation", "ObservationComponent"):  # obs-6
        drop = ["dataAbsentReason"] if turn % 2 else [key for key in made if key.startswith("value")]
    elif kind == "List":  # lst-1
        drop = [("emptyReason", "entry")[turn % 2]]
    elif kind == "ListEntry":  # lst-2, lst-3
        drop = ["deleted", "date"]
    elif kind == "AllergyIntolerance":  # ait-2
        drop = ["clinicalStatus"] if made["verificationStatus"] == "entered-in-error" else []
    elif kind == "TimingRepeat":  # tim-9, tim-10
        drop = ["when", "offset"] if turn % 2 else ["timeOfDay", *(["offset"] if made.get("when", [""])[0][:1] == "C" else [])]
    elif kind == "Organization":  # org-2, org-3
        for one in made.get("telecom", []) + made.get("address", []):
            one["use"] = "work"
    return {key: value for key, value in made.items() if key not in drop}


def unpacked(annotation):
    """The type in an annotation, and whether it is a list of them."""
    is_list = False
    while True:
        origin = typing.get_origin(annotation)
        if origin is list:
            is_list = True
        elif origin is typing.Annotated or not typing.get_args(annotation):
            return annotation, is_list
        annotation = next(one for one in typing.get_args(annotation) if one is not type(None))


def structure(kind, definitions):
    """`CarePlanActivityDetail` is `CarePlan_Detail` in the schemas."""
    parts = (name.split("_") for name in definitions if "_" in name)
    fits = [f"{top}_{own}" for top, own in parts if kind.startswith(top) and kind.endswith(own)]
    return max(fits, key=len) if fits and kind not in definitions else kind


def answer(maker, name):
    """A Bundle of the patient and one resource of each type."""
    patient = {"resourceType": "Patient", "id": "patient", **maker.made("Patient", "Patient")}
    patient["identifier"] = [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": NUMBER}]
    patient["birthDate"] = "1953-02-11"
    resources = [patient]
    for kind in KINDS:
        resources.append({"resourceType": kind, "id": f"{kind}-1", **maker.made(kind, kind)})
    entries = [{"resource": one} for one in resources]
    return {"resourceType": "Bundle", "id": name, "type": "collection", "entry": entries}


def turns(definitions):
    """As many as the longest choice of a code or a type."""
    longest = 0
    for kind in ("Patient", *KINDS):
        for name, rule in definitions.items():
            if name.split("_")[0] != kind:
                continue
            for part in [rule, *rule.get("allOf", [])]:
                for of_key in part.get("properties", {}).values():
                    codes = of_key.get("enum") or of_key.get("items", {}).get("enum") or []
                    longest = max(longest, len(codes))
    return longest


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--modules", type=Path, required=True)
    given = arguments.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    definitions = Schemas(given.modules.resolve()).definitions["STU3"]
    for turn in range(turns(definitions)):
        for name, bare in (("full", False), ("bare", True)):
            name = f"{name}-{turn:02}"
            text = json.dumps(answer(Maker(definitions, turn, bare), name), indent=1)
            (given.folder / f"{name}.json").write_text(text)


if __name__ == "__main__":
    main()
