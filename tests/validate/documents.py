"""The documents of a folder, taken apart into resources, and places inside them."""

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

# What stands in for an entry's resource when the Bundle around it is read: valid, and says nothing.
STAND_IN = {"resourceType": "Basic", "code": {"text": "-"}}
MISSING = object()
# When a statement was fetched: differs from answer to answer, and is no reason to read it twice.
FETCHED = re.compile(r'("urn:x-tributary:retrieved-at", "valueInstant": )"[-0-9T:.]+Z"')


@dataclass
class Resource:
    """One resource of a document. Equal ones are read once."""

    version: str
    body: dict
    findings: list = field(default_factory=list)

    @property
    def kind(self):
        return str(self.body.get("resourceType", "?"))


@dataclass
class Document:
    """An answer of ours, or what a source sent."""

    name: str
    version: str
    ours: bool
    source: str
    inputs: list
    whole: dict
    resources: list


@dataclass(frozen=True)
class Finding:
    """What one validator has against one place of a resource."""

    validator: str
    path: tuple
    message: str

    def place(self, kind):
        """`Type.element[].element`, without the numbers of repetitions."""
        text = kind
        for step in self.path:
            text += "[]" if isinstance(step, int) else f".{step}"
        return text


def read(folder):
    """Every document of the folder, and every different resource in them."""
    known, documents = {}, []
    for row in json.loads((folder / "index.json").read_text()):
        text = (folder / row["file"]).read_text()
        try:
            whole = json.loads(text, parse_float=Decimal)
        except ValueError:
            # A recording may be broken on purpose; an answer may not.
            if row["ours"]:
                raise
            continue
        resources = []
        for body in apart(whole):
            key = row["version"] + FETCHED.sub(r"\1", json.dumps(body, default=str))
            resources.append(known.setdefault(key, Resource(row["version"], body)))
        documents.append(
            Document(
                row["name"], row["version"], row["ours"], row.get("source", ""), row.get("inputs", []), whole, resources
            )
        )
    return documents, list(known.values())


def apart(whole):
    """A Bundle without its resources, then each of them; anything else as it is.

    The first entry stays: some invariants of a Bundle are about it.
    """
    if whole.get("resourceType") != "Bundle":
        return [whole]
    entries = whole.get("entry", [])
    around = dict(whole)
    if entries:
        stands = [{**one, "resource": STAND_IN} if "resource" in one else one for one in entries[1:]]
        around["entry"] = [entries[0], *stands]
    return [around, *(one["resource"] for one in entries if isinstance(one.get("resource"), dict))]


def place_of(text):
    """The path of `Type.element[0].element`, without the type."""
    steps = []
    for part in text.split(".")[1:]:
        name, *numbers = re.split(r"\[(\d+)\]", part)
        steps.append(int(name) if name.isdigit() else name)
        steps.extend(int(number) for number in numbers if number.isdigit())
    return tuple(steps)


def value_at(node, path):
    """What stands at a path, or MISSING."""
    for step in path:
        if isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        elif isinstance(node, dict) and step in node:
            node = node[step]
        elif isinstance(node, dict) and isinstance(step, str) and step.endswith("[x]"):
            choice = re.compile(re.escape(step[:-3]) + "[A-Z]")
            found = [value for key, value in node.items() if choice.match(key)]
            if not found:
                return MISSING
            node = found[0]
        else:
            return MISSING
    return node


def walk(node, path=()):
    """Every object below a node with its path."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from walk(value, (*path, key))
    elif isinstance(node, list):
        for at, value in enumerate(node):
            yield from walk(value, (*path, at))


def without_references(node):
    """The same value with every reference blanked: those are the one thing the merge rewrites."""
    if isinstance(node, dict):
        return {key: "" if key == "reference" else without_references(value) for key, value in node.items()}
    if isinstance(node, list):
        return [without_references(value) for value in node]
    return node


def load(path):
    """A JSON file."""
    return json.loads(Path(path).read_text())
