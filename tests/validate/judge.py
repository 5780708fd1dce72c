"""Which findings are explained, and by what."""

import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field

from documents import MISSING, value_at, without_references

AS_SENT = "as the source sent it"
MISTAKE = "validator's mistake"
UNSAYABLE = "R4 cannot say it"
# Elements of the merged Patient that are a source's own.
BANNER = ("name", "telecom", "gender", "birthDate", "address")


@dataclass
class Line:
    """One line of the reviewed list."""

    validators: list
    path: re.Pattern
    message: re.Pattern
    of: str
    reason: str
    seen: str
    counts: Counter = field(default_factory=Counter)

    def explains(self, kind, finding):
        """Whether the line is about this finding."""
        fits = finding.validator in self.validators and self.path.fullmatch(finding.place(kind))
        return bool(fits and self.message.search(finding.message))


def lines_of(file):
    """The list; a line without a reason, or of another class, is refused."""
    lines = []
    for row in tomllib.loads(file.read_text()).get("allowed", []):
        if row["class"] not in (AS_SENT, MISTAKE, UNSAYABLE) or len(row["reason"]) < 40:
            raise SystemExit(f"a line of {file.name} without its class or reason: {row}")
        if row["class"] != AS_SENT and "https://hl7.org/fhir/" not in row["reason"]:
            raise SystemExit(f"a line of {file.name} blames others and cites nothing: {row}")
        patterns = re.compile(row["path"]), re.compile(row["message"])
        lines.append(Line(row["validators"], *patterns, row["class"], row["reason"], row["seen"]))
    return lines


@dataclass
class Judged:
    """What became of every finding."""

    allowed: list
    new: list = field(default_factory=list)
    unproved: list = field(default_factory=list)
    idle: list = field(default_factory=list)
    inputs: Counter = field(default_factory=Counter)

    def is_clean(self):
        return not (self.new or self.unproved or self.idle)

    def lines(self):
        """To be read, worst first."""
        texts = [f"NOT EXPLAINED: {one}" for one in grouped(self.new)]
        texts += [f"NOT AS THE SOURCE SENT IT: {one}" for one in grouped(self.unproved)]
        texts += [f"IDLE LINE: {one.path.pattern} of {', '.join(one.validators)}" for one in self.idle]
        for line in (one for one in self.allowed if one.counts):
            told = ", ".join(f"{name} {count}" for name, count in sorted(line.counts.items()))
            texts.append(f"allowed, {line.of}: {line.path.pattern} ({told})")
        classes = Counter()
        for line in self.allowed:
            classes[line.of] += sum(line.counts.values())
        figures = [f"{count} {name}" for name, count in sorted(classes.items())]
        own = len(self.new) + len(self.unproved)
        texts.append(f"findings in answers: {', '.join([*figures, f'{own} not explained'])}")
        told = ", ".join(f"{name} {count}" for name, count in sorted(self.inputs.items()))
        texts.append(f"findings in what sources sent: {told or 'none'}")
        return texts


def grouped(told):
    """One text for each validator and place: how often, and the first of them."""
    first, counts = {}, Counter()
    for validator, place, message, name, resource in told:
        counts[validator, place] += 1
        first.setdefault((validator, place), f"{message[:240]} | {name} | {resource.kind}/{resource.body.get('id')}")
    return [f"{count} × {key[0]} | {key[1]} | {first[key]}" for key, count in counts.items()]


def judge(documents, lines, seen):
    """Holds every finding against the list, and what is called a source's against what that source sent.

    `seen` names the answers that are among the documents: a line for those must have work.
    """
    judged = Judged(lines)
    by_name = {one.name: one for one in documents}
    done = set()
    for document in documents:
        for resource in document.resources:
            if id(resource) in done:
                continue
            done.add(id(resource))
            if not document.ours:
                judged.inputs.update(finding.validator for finding in resource.findings)
                continue
            sent = None
            for finding in resource.findings:
                line = next((one for one in lines if one.explains(resource.kind, finding)), None)
                told = (finding.validator, finding.place(resource.kind), finding.message, document.name, resource)
                if line is None:
                    judged.new.append(told)
                    continue
                if line.of == AS_SENT:
                    sent = originals(document, resource, by_name) if sent is None else sent
                    if not is_as_sent(resource, finding, sent):
                        judged.unproved.append(told)
                        continue
                line.counts[finding.validator] += 1
    judged.idle = [one for one in lines if not one.counts and one.seen in seen]
    return judged


def originals(document, resource, by_name):
    """The resources of the inputs that this one is made from."""
    told = origin_of(resource)
    source, _, origin = told.removeprefix("urn:x-tributary:").partition("#")
    inputs = [by_name[name] for name in document.inputs if name in by_name]
    if not told:
        # The merged Patient has the banner of one source's.
        return [one for given in inputs for one in given.resources if one.kind == resource.kind == "Patient"]
    found = []
    for given in inputs:
        for one in given.resources if given.source == source else []:
            name = one.body.get("id")
            # What came without an id is known by a mark of its content.
            is_same = origin.split("~")[0] == f"{one.kind}/{name}" if name else origin.startswith(f"{one.kind}/#")
            if is_same:
                found.append(one)
    return found


def origin_of(resource):
    """`meta.source`, which is an extension in STU3; nothing for what is ours."""
    meta = resource.body.get("meta", {})
    as_extension = (one.get("valueUri") for one in meta.get("extension", []) if str(one.get("url")).endswith("Meta.source"))
    return str(meta.get("source") or next(as_extension, ""))


def is_as_sent(resource, finding, sent):
    """Whether the source's own resource is rejected for the same value of the same element."""
    if not origin_of(resource) and finding.path[:1] not in {(one,) for one in BANNER}:
        return False
    name, value = fragment(resource, finding)
    return any((name, value) == fragment(one, other) for one in sent for other in one.findings)


def fragment(resource, finding):
    """The name of the element, and what stands there; of a missing one, what stands around the gap."""
    path = finding.path
    while path and isinstance(path[-1], int):
        path = path[:-1]
    if not path:
        return "", ""
    name = str(path[-1])
    value = value_at(resource.body, path)
    if name.endswith("[x]"):
        # `onset[x]` and `onsetDateTime` are one element.
        around = value_at(resource.body, path[:-1])
        name = next((key for key in around if re.match(re.escape(name[:-3]) + "[A-Z]", key)), name)
    if value is MISSING:
        name, value = f"{name} is missing", value_at(resource.body, path[:-1])
    return name, str(without_references(value))
