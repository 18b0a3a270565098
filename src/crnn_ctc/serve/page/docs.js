// The OpenAPI document, for people.

import { make } from "./dom.js";

const said = await (await fetch("openapi.json")).json();
const here = new URL("v1/read", location.href);

document.getElementById("example").textContent =
  `curl -F pictures=@plate.jpg -F pictures=@other.png '${here}?alternatives=3'\n` +
  `curl -H 'Content-Type: image/jpeg' --data-binary @plate.jpg '${here}'\n` +
  `curl -H 'Authorization: Bearer KEY' ...   # where the service has keys`;

function resolved(schema) {
  return schema?.$ref ? said.components.schemas[schema.$ref.split("/").pop()] : schema || {};
}

function kind(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(kind).join(" or ");
  // a list of fixed length, such as a point
  if (schema.prefixItems) return `(${schema.prefixItems.map(kind).join(", ")})`;
  if (schema.type === "array") return `list of ${kind(schema.items)}`;
  return schema.format || schema.type || "any";
}

function table(head, rows) {
  const line = (tag, cells) => make("tr", {}, ...cells.map((c) => make(tag, {}, c)));
  return make("div", { class: "wide" }, make(
    "table", {}, make("thead", {}, line("th", head)), make("tbody", {}, ...rows.map((r) => line("td", r))),
  ));
}

const code = (text) => make("code", {}, text);

function fields(schema) {
  return table(["field", "kind", "what"], Object.entries(schema.properties || {}).map(
    ([name, value]) => [code(name), kind(value), value.description || ""],
  ));
}

function operation(path, method, what) {
  const parts = [
    make("h2", {}, make("span", { class: "method" }, method.toUpperCase()), " ", code(path)),
    make("p", {}, what.description || what.summary || ""),
  ];
  const query = (what.parameters || []).filter((p) => p.in === "query");
  if (query.length) {
    parts.push(make("h3", {}, "Query"), table(["name", "kind", "what"], query.map(
      (p) => [code(p.name), kind(p.schema), p.description || p.schema.description || ""],
    )));
  }
  if (what.requestBody) {
    parts.push(make("h3", {}, "Body"), make("p", {}, Object.keys(what.requestBody.content).join(", ")));
  }
  parts.push(make("h3", {}, "Answers"), table(["status", "what", "content"], Object.entries(what.responses)
    .map(([status, r]) => [code(status), r.description, Object.keys(r.content || {}).join(", ")])));
  return make("section", { class: "doc" }, ...parts);
}

function schemas() {
  const shown = Object.entries(said.components.schemas).filter(([name]) => !name.includes("Validation"));
  return shown.map(([name, value]) => make(
    "section", { class: "doc" }, make("h2", {}, code(name)),
    make("p", {}, resolved(value).description || ""), fields(resolved(value)),
  ));
}

const operations = Object.entries(said.paths).flatMap(
  ([path, methods]) => Object.entries(methods).map(([method, what]) => operation(path, method, what)),
);
document.getElementById("operations").replaceChildren(...operations, ...schemas());
