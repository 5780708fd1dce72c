"""Renders the chart with Helm's own engine, holds every object against the Kubernetes schemas, and prints them.

Arguments: the chart, a file of JSON with values, and files of rules. Prints {"lint": [...], "refused": text or null,
"objects": [...], "invalid": [...], "notes": text, "groups": [...] of the rules}.
"""

import json
import sys

import helm_python
import kubernetes_validate
import yaml
from helm_python.chart import Chart, lint

# Of the Prometheus operator: Kubernetes has no schema of its own for them.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}
VERSIONS = ("1.27", "1.31", "1.37")


def problems(thing, version):
    """What the schema of this version says of an object; nothing if it is as it should be."""
    try:
        kubernetes_validate.validate(thing, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{thing['kind']} {version}: {'.'.join(map(str, error.path))}: {error.message}"]
    return []


def main(path, values_file, *rules_files):
    with open(values_file, encoding="utf-8") as file:
        values = json.load(file)
    told = {"lint": [], "refused": None, "objects": [], "invalid": [], "notes": "", "groups": []}
    for name in rules_files:
        with open(name, encoding="utf-8") as file:
            told["groups"] += yaml.safe_load(file)["groups"]
    report = lint(path, values, strict=True)
    told["lint"] = [one for one in report["messages"] if one["severity"] >= 2] + report["errors"]
    with Chart.load(path) as chart:
        try:
            chart.validate_schema(values)
            rendered = chart.render(values, name="record", namespace="care")
        except helm_python.HelmError as error:
            told["refused"] = str(error)
            rendered = {}
    for name, text in rendered.items():
        if name.endswith("NOTES.txt"):
            told["notes"] = text
            continue
        told["objects"] += [one for one in yaml.safe_load_all(text) if one]
    for thing in told["objects"]:
        if thing["kind"] not in FOREIGN:
            told["invalid"] += [found for version in VERSIONS for found in problems(thing, version)]
    json.dump(told, sys.stdout)


main(*sys.argv[1:])
