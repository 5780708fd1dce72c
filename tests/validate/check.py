"""Has a folder of documents read by validators that are not ours, and judges what they find.

`check.py FOLDER --modules NODE_MODULES [--seen recorded] [--list FILE]`. Ends with 1 if there is a finding that the list
does not explain, one that it calls a source's and that the source did not send, a line of the list that explains
nothing, or a difference between R4 and R4B that is not a known one.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import judge
import models
import rules
import versions
from documents import Finding, place_of, read, walk
from schemas import Schemas

HERE = Path(__file__).parent
# An unresolved address is the source's own, so its type is one of STU3.
RENAMED = {"ProcedureRequest": "ServiceRequest", "ReferralRequest": "ServiceRequest"}


def typed(documents):
    """Where `urn:uuid:` references of our R4 Bundles lead, by type."""
    types = {}
    for document in documents:
        is_bundle = document.ours and document.version == "R4" and document.whole.get("resourceType") == "Bundle"
        for entry in document.whole.get("entry", []) if is_bundle else []:
            types[entry.get("fullUrl")] = entry.get("resource", {}).get("resourceType")
    return types


def with_types(body, types):
    """A copy whose references tell the type they lead to, so that a validator can compare it."""
    copy = json.loads(json.dumps(body, default=float))
    for _, node in walk(copy):
        to = node.get("reference")
        if not isinstance(to, str):
            continue
        if not rules.is_address(to):
            # Told once, by the rules.
            del node["reference"]
            node.setdefault("display", "-")
        elif to.split("#")[0] in types:
            node["reference"] = f"{types[to.split('#')[0]]}/{to.split('#')[0][9:]}"
        elif to.startswith("urn:x-tributary:unresolved:"):
            kind, _, name = to.split(":", 4)[4].partition("/")
            node["reference"] = f"{RENAMED.get(kind, kind)}/{name}"
    return copy


def in_javascript(resources, types, folder, modules):
    """The two validators in JavaScript: one process, one file in, one file out."""
    chosen = [one for one in resources if one.version == "R4"]
    lines = [json.dumps(with_types(one.body, types)) + "\n" for one in chosen]
    (folder / "resources.jsonl").write_text("".join(lines))
    own = Path(sys.executable).parent / "node"
    node = shutil.which("node") or str(own)
    arguments = [node, HERE / "structure.js", modules, folder / "resources.jsonl", folder / "found.jsonl"]
    subprocess.run(arguments, check=True)
    found = (folder / "found.jsonl").read_text().splitlines()
    for one, line in zip(chosen, found, strict=True):
        one.findings.extend(Finding(name, place_of(place), message) for name, place, message in json.loads(line))


def validated(folder, modules):
    """Every document of the folder, its resources with what was found."""
    documents, resources = read(folder)
    schemas = Schemas(modules)
    for one in resources:
        one.findings.extend([*models.findings(one), *schemas.findings(one), *rules.narrative(one)])
    in_javascript(resources, typed(documents), folder, modules)
    for document in documents:
        for resource, finding in rules.addresses(document):
            if finding not in resource.findings:
                resource.findings.append(finding)
    return documents, resources


def summary(documents, resources, judged, began):
    """The figures, to be read."""
    ours = [one for one in documents if one.ours]
    whole = sum(not models.errors(one.version, one.whole) for one in ours)
    kinds = Counter(one.whole.get("resourceType", "?") for one in ours)
    read_ours = {id(resource) for one in ours for resource in one.resources}
    lines = [
        f"{len(ours)} answers ({', '.join(f'{count} {kind}' for kind, count in kinds.most_common())}), "
        f"{sum(len(one.resources) for one in ours)} resources in them, {len(read_ours)} different; "
        f"{len(documents) - len(ours)} inputs, {len(resources) - len(read_ours)} different resources",
        f"{whole} of {len(ours)} answers load whole in fhir.resources",
    ]
    return [*lines, *judged.lines(), f"{time.monotonic() - began:.0f} s"]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--modules", type=Path, required=True)
    arguments.add_argument("--list", type=Path, default=HERE / "allowed.toml")
    arguments.add_argument("--seen", action="append", default=[], choices=("recorded", "generated"))
    given = arguments.parse_args()
    began = time.monotonic()
    documents, resources = validated(given.folder, given.modules.resolve())
    judged = judge.judge(documents, judge.lines_of(given.list), given.seen)
    kinds = {resource.kind for one in documents if one.ours and one.version == "R4" for resource in one.resources}
    differences = versions.differences(kinds, given.modules.resolve())
    lines = [f"R4 AND R4B DIFFER: {one}" for one in differences if one not in versions.KNOWN]
    lines.extend(summary(documents, resources, judged, began))
    lines.append(f"R4 and R4B compared in {len(kinds)} types: {'; '.join(differences)}")
    print(os.linesep.join(lines))
    return 0 if judged.is_clean() and set(differences) == versions.KNOWN else 1


if __name__ == "__main__":
    sys.exit(main())
