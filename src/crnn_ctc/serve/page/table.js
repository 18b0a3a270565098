// Several pictures, a row each. Roles are written out, for on phones the rows are no table.

import { make } from "./dom.js";
import { chip, text } from "./reading.js";
import { likely, percent, refused } from "./trust.js";
import { word } from "./words.js";

export function row(entry, shown, pick) {
  const { url, name, reading } = entry;
  const image = make("img", { src: url, alt: "" });
  image.addEventListener("error", () => image.remove());
  const button = make("button", { class: "pick", type: "button" }, image, make("span", {}, make("bdi", {}, name)));
  if (shown) button.setAttribute("aria-current", "true");
  button.addEventListener("click", pick);
  const cells = [make("td", { role: "cell" }, button)];
  if (reading.error) {
    cells.push(make("td", { role: "cell", class: "wrong", colspan: 3 }, word("wrong", reading.error)));
  } else {
    const others = likely(reading.alternatives).map((a) => make(
      "span", {}, make("bdi", { lang: "zh" }, a.display || word("none")), ` ${percent(a.probability, 2)}`,
    ));
    cells.push(
      make(
        "td", { role: "cell", class: refused(reading) ? "text refused" : "text" },
        ...(reading.text ? text(reading) : [word("none")]),
      ),
      make("td", { role: "cell" }, reading.text ? chip(reading) : ""),
      make("td", { role: "cell", class: "others" }, ...others),
    );
  }
  return make("tr", { role: "row", class: shown ? "shown" : "" }, ...cells);
}
