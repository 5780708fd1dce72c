// Whoever can place what comes later says so: the page of a record then grows while its sources answer.
"use strict";
for (const form of document.querySelectorAll("form[data-live]")) {
  const field = document.createElement("input");
  field.type = "hidden";
  field.name = "live";
  field.value = "1";
  form.append(field);
}
