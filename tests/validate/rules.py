"""What no validator here looks at: addresses inside a Bundle, and narrative."""

import re
import xml.etree.ElementTree as xml

from documents import Finding, walk

URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:\S+")
RELATIVE = re.compile(r"[A-Z][A-Za-z]+/\S+")
XHTML = "{http://www.w3.org/1999/xhtml}"
# txt-1: basic formatting, no scripts, no forms, no links to style (https://hl7.org/fhir/R4/narrative.html).
ELEMENTS = set(
    "a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img "
    "li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var".split()
)
ATTRIBUTES = set(
    "abbr accesskey align alt axis border cellhalign cellpadding cellspacing cellvalign char charoff charset cite "
    "class colspan compact coords dir frame headers height href hreflang hspace id lang longdesc name nowrap rel rev "
    "rowspan rules scope shape span src start style summary tabindex title type valign value vspace width".split()
)


def narrative(resource):
    """What the narratives of a resource break."""
    found = []
    for path, node in walk(resource.body):
        if isinstance(node.get("div"), str) and "status" in node:
            found.extend(Finding("rules", (*path, "div"), message) for message in in_narrative(node["div"]))
    return found


def in_narrative(text):
    try:
        root = xml.fromstring(text)
    except xml.ParseError as error:
        return [f"narrative is no XML: {error}"]
    found = []
    if root.tag != XHTML + "div":
        found.append("narrative is no XHTML div")
    for node in root.iter():
        if not isinstance(node.tag, str) or node.tag.removeprefix(XHTML) not in ELEMENTS:
            found.append("narrative holds an element it may not hold")
        if any(name not in ATTRIBUTES and not name.startswith("{") for name in node.attrib):
            found.append("narrative holds an attribute it may not hold")
    if not "".join(root.itertext()).strip() and root.find(f".//{XHTML}img") is None:
        found.append("narrative is empty (txt-2)")
    return sorted(set(found))


def addresses(document):
    """What is wrong with ids and references of a document: (resource, finding) pairs."""
    resources = document.resources
    if document.whole.get("resourceType") != "Bundle" or not document.ours:
        return [(one, finding) for one in resources for finding in references(one.body, None)]
    found = []
    entries = [one for one in document.whole.get("entry", []) if isinstance(one.get("resource"), dict)]
    around, resources = resources[0], resources[1:]
    urls = [one.get("fullUrl") for one in entries]
    if len(set(urls)) != len(urls):
        found.append((around, Finding("rules", ("entry",), "two entries have one fullUrl")))
    for at, (url, resource) in enumerate(zip(urls, resources, strict=True)):
        # An outcome needs no id; where there is one, the address is made of it.
        if url is None or url.removeprefix("urn:uuid:") != resource.body.get("id", url.removeprefix("urn:uuid:")):
            found.append((around, Finding("rules", ("entry", at, "fullUrl"), "fullUrl and id differ")))
        found.extend((resource, one) for one in references(resource.body, set(urls)))
    return found


def is_address(text):
    """Whether a reference is one at all: some systems put display text where it belongs."""
    return text.startswith("#") or bool(URI.fullmatch(text) or RELATIVE.fullmatch(text))


def references(body, urls):
    """References that lead nowhere; what a source sends may lead out of its answer (`urls` is None)."""
    contained = {one.get("id") for one in body.get("contained", []) if isinstance(one, dict)}
    found = []
    for path, node in walk(body):
        to = node.get("reference")
        if not isinstance(to, str):
            continue
        if to.startswith("#"):
            leads = to == "#" or to[1:] in contained
        elif to.startswith("urn:uuid:"):
            leads = urls is None or to.split("#")[0] in urls
        else:
            # What is not in the Bundle is never named by `Type/id` alone: another source may have such a one.
            leads = bool(URI.fullmatch(to)) or (urls is None and is_address(to))
        if not leads:
            found.append(Finding("rules", (*path, "reference"), "reference leads nowhere"))
    return found
