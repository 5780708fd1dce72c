"""Shows that each validator sees what it is there for, and that the list explains no more than it says.

`proof.py FOLDER --modules NODE_MODULES [--print]`. `broken.json` holds documents with mistakes, `broken.txt` what must
be found in each, to the last finding.
"""

import argparse
import json
import sys
from pathlib import Path

import judge
from check import validated

HERE = Path(__file__).parent


def write(folder):
    """The documents, as `check.py` wants a folder to be."""
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for at, row in enumerate(json.loads((HERE / "broken.json").read_text())):
        (folder / f"{at}.json").write_text(json.dumps(row.pop("whole")))
        index.append({"version": "R4", "ours": True, "file": f"{at}.json", **row})
    (folder / "index.json").write_text(json.dumps(index))


def found(documents, judged):
    """One line for each finding, and for each thing that the list does not explain."""
    lines = []
    for document in documents:
        for resource in document.resources:
            told = {(one.validator, one.place(resource.kind)) for one in resource.findings}
            lines.extend(f"{document.name} | {name} | {place}" for name, place in sorted(told))
    for kind, told in (("new", judged.new), ("unproved", judged.unproved)):
        verdicts = {f"{one[3]} | {kind} | {one[1]}" for one in told}
        lines.extend(sorted(verdicts))
    return lines


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--modules", type=Path, required=True)
    arguments.add_argument("--print", action="store_true")
    given = arguments.parse_args()
    write(given.folder)
    documents, _ = validated(given.folder, given.modules.resolve())
    judged = judge.judge(documents, judge.lines_of(HERE / "allowed.toml"), seen=("recorded", "generated"))
    lines = found(documents, judged)
    if given.print:
        print("\n".join(lines))
        return 0
    wanted = (HERE / "broken.txt").read_text().splitlines()
    differences = [f"not found: {one}" for one in wanted if one not in lines]
    differences += [f"found besides: {one}" for one in lines if one not in wanted]
    # Of the real list only the line about times without a zone has work here.
    if len(judged.idle) != len(judged.allowed) - 1:
        differences.append(f"{len(judged.idle)} of {len(judged.allowed)} lines are idle")
    print("\n".join(differences) or f"{len(lines)} findings, as they should be")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
