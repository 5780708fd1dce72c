"""What OpenAPI 3.0 cannot say of a good question: one patient, whose number is a number, and nothing twice.

Questions that are meant to be good are made so. Those that are meant to be bad stay as they were drawn.
"""

import json
import random

import schemathesis

SYSTEM = "https://fhir.nhs.uk/Id/nhs-number"
# The invented patients of the demonstration.
NUMBERS = ["9990000107", "9990000204", "9990000301", "9990000409"]
# Sections that no source of one of them serves: asked for alone, they are refused.
UNSERVED = {"appointments", "documents", "procedures", "socialcare"}


def is_meant_well(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


def number(of):
    # The same for the same case, or a failure could not be made again.
    return random.Random(repr(of)).choice(NUMBERS)


def whole(body):
    if not isinstance(body, dict) or not isinstance(body.get("parameter"), list):
        return body
    identifier = {"system": SYSTEM, "value": number(body)}
    seen = {"patient", "identifier"}
    parameters = [{"name": "patient", "valueIdentifier": identifier}]
    for parameter in body["parameter"]:
        if parameter["name"] == "section":
            parameters += [parameter] if parameter["valueCode"] not in UNSERVED else []
        elif parameter["name"] not in seen:
            seen.add(parameter["name"])
            parameters.append(parameter)
    # id and meta are not read, but must be JSON without escapes in its keys, which Python writes for most letters.
    return {"resourceType": body["resourceType"], "parameter": parameters}


@schemathesis.hook
def before_call(context, case, kwargs):
    if not is_meant_well(case):
        return
    if case.operation.path.endswith(("$record", "Patient/$summary")):
        case.body = whole(case.body)
    if "nhs" in (case.path_parameters or {}):
        case.path_parameters["nhs"] = number(case.path_parameters["nhs"])
    if case.operation.path in ("/record", "/print", "/looked") and isinstance(case.body, dict):
        case.body["nhs"] = number(case.body)
        # A day is a day of the calendar, and OpenAPI knows none that may be a moment as well.
        case.body.pop("since", None)
        case.body.pop("until", None)
        # What stands for a visit is given out, and cannot be drawn.
        case.body.pop("visit", None)


@schemathesis.hook
def filter_case(context, case):
    # A header that nobody knows is passed over, as HTTP has it; the description cannot say so.
    return not any("unknown-property" in name.lower() for name in case.headers or {})


@schemathesis.serializer("application/json+fhir")
def older_json(context, value):
    return json.dumps(value).encode()
