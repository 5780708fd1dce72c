// One record in lines, and what is missing in it. The types are made from the broker's description.

import type { components, operations } from "./tributary";

type Lines = components["schemas"]["Lines"];
type Outcome = components["schemas"]["OperationOutcome"];
type Parameters = operations["record"]["requestBody"]["content"]["application/fhir+json"];

export class Refused extends Error {
  constructor(readonly status: number, readonly reasons: string[], readonly retryAfterSeconds: number | null) {
    super(`the broker answered with status ${status}`);
  }
}

export async function record(url: string, nhsNumber: string, token?: string): Promise<Lines> {
  const parameters: Parameters = {
    resourceType: "Parameters",
    parameter: [
      { name: "patient", valueIdentifier: { system: "https://fhir.nhs.uk/Id/nhs-number", value: nhsNumber } },
      { name: "section", valueCode: "plans" },
      { name: "section", valueCode: "allergies" },
    ],
  };
  const headers: Record<string, string> = { "Content-Type": "application/fhir+json" };
  if (token !== undefined) headers["Authorization"] = `Bearer ${token}`;
  const response = await fetch(`${url}/fhir/R4/Patient/$record?view=lines`, {
    method: "POST",
    headers,
    body: JSON.stringify(parameters),
    redirect: "error",
    cache: "no-store",
  });
  if (!response.ok) {
    const outcome = (await response.json()) as Outcome;
    const wait = response.headers.get("Retry-After");
    const reasons = outcome.issue.map((issue) => issue.details?.text ?? issue.code);
    throw new Refused(response.status, reasons, wait === null ? null : Number(wait));
  }
  return (await response.json()) as Lines;
}

/** Every line of the record in words. What is missing stands first, and a section is never silently empty. */
export function words(lines: Lines): string[] {
  const missing = lines.sources.map((source) => source.words);
  const sections = lines.sections.flatMap((section) => [
    section.title,
    ...section.notices.map((notice) => `! ${notice}`),
    ...section.lines.map((line) => `${line.title} (${line.members.map((member) => member.sourceName).join(", ")})`),
  ]);
  return [...missing, `Allergies: ${lines.allergyLabel}`, ...sections];
}
