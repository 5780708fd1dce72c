"""`fhir.resources`: Python classes made from HL7's definitions of STU3 and R4B."""

import fhir.resources.R4B
import fhir.resources.STU3
from pydantic import ValidationError

from documents import Finding

VERSIONS = {"R4": fhir.resources.R4B, "STU3": fhir.resources.STU3}


def findings(resource):
    """What the class of a resource says against it."""
    return [
        Finding("models", tuple(step for step in error["loc"] if step != "root"), f"{error['type']}: {error['msg']}")
        for error in errors(resource.version, resource.body)
    ]


def errors(version, body):
    """The errors of pydantic for a resource, with everything in it."""
    try:
        of_kind = VERSIONS[version].get_fhir_model_class(body.get("resourceType", "?"))
    except (KeyError, LookupError) as unknown:
        return [{"loc": ("resourceType",), "type": "unknown", "msg": f"no such resource: {unknown}"}]
    try:
        of_kind.model_validate(body)
    except ValidationError as told:
        return told.errors(include_url=False, include_context=False)
    return []
