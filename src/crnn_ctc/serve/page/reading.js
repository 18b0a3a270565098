// One picture with what was read in it.

import { draw, make } from "./dom.js";
import { closeUp, photograph } from "./photo.js";
import { bound, likely, percent, refused, trust, verdict } from "./trust.js";
import { word } from "./words.js";

export function showReading(place, { url, name, reading, least, plates, chosen }, roughly, pick) {
  const parts = [make("p", { class: "file" }, make("bdi", {}, name))];
  if (plates) parts.push(photograph({ url, name, plates, chosen }, pick));
  if (reading.error) {
    parts.push(make("p", { class: "trust" }, make("span", { class: "bad" }, word("wrong", reading.error))));
  } else if (!reading.text) {
    parts.push(make("p", { class: "big none" }, word(plates ? "noPlate" : "none")));
  } else {
    const kind = refused(reading) ? "big refused" : "big";
    parts.push(
      make("p", { class: kind }, ...text(reading)),
      make("p", { class: "trust" }, `${word("confidence")} `, chip(reading)),
    );
    if (refused(reading)) parts.push(make("p", { class: "guess" }, word("guess", bound(least))));
  }
  if (!plates) parts.push(stage(url, name, reading));
  else if (reading.text) parts.push(closeUp(url, reading), cells(reading.characters));
  if (reading.characters.length && !plates) {
    parts.push(make("p", { class: "places" }, word(roughly ? "roughly" : "exactly")));
  }
  const others = likely(reading.alternatives);
  if (others.length) parts.push(alternatives(others));
  if (!reading.error && !reading.text) parts.push(make("p", { class: "guess" }, word("advice")));
  place.replaceChildren(...parts);
}

// A text; what its colour and its question mark say of a guess, in words for those who hear it.
export function text(reading) {
  const shown = make("span", { class: "said", lang: "zh" }, reading.display);
  return refused(reading) ? [make("span", { class: "hidden" }, `${word("perhaps")} `), shown] : [shown];
}

export function judged(reading) {
  const [kind, share] = verdict(reading);
  return `${share} · ${word(kind)}`;
}

export function chip(reading) {
  return make("span", { class: `chip ${verdict(reading)[0]}` }, judged(reading));
}

// The picture between its rows of characters. It is as wide as the stage, so that shares of its
// width are shares of the stage's.
function stage(url, name, reading) {
  const image = make("img", { alt: name });
  const box = make("div", { class: "stage" }, image);
  image.addEventListener("load", () => {
    const { naturalWidth: width, naturalHeight: height } = image;
    box.style.maxWidth = `min(34rem, ${(55 * width) / height}vh)`;
    const rows = [0, 1].map((row) => reading.characters.filter((c) => c.row === row));
    if (rows[0].length) image.before(cells(rows[0]), fan(rows[0], width, false));
    if (rows[1].length) image.after(fan(rows[1], width, true), cells(rows[1]));
  });
  image.addEventListener("error", () => {
    image.replaceWith(make("p", { class: "places" }, word("unseen")));
  });
  image.src = url;
  return box;
}

function cells(characters) {
  const items = characters.map((c) => make(
    "li", { class: trust(c.confidence) },
    make("b", { lang: "zh" }, c.text), make("small", {}, percent(c.confidence).replace(" %", "")),
  ));
  return make("ol", { class: "cells", "aria-label": word("characters") }, ...items);
}

// From the middle of each cell to where its character was found.
function fan(characters, width, below) {
  const shapes = characters.flatMap((c, i) => {
    const cell = ((i + 0.5) / characters.length) * 1000;
    const start = (c.start / width) * 1000;
    const wide = Math.max(6, ((c.end - c.start) / width) * 1000);
    const [from, to, bar] = below ? [26, 5, 0] : [0, 21, 22];
    return [
      draw("line", { x1: cell, y1: from, x2: Math.min(start + wide / 2, 1000), y2: to }),
      draw("rect", { x: Math.min(start, 1000 - wide), y: bar, width: wide, height: 4 }),
    ];
  });
  const frame = { class: "fan", viewBox: "0 0 1000 26", preserveAspectRatio: "none", "aria-hidden": "true" };
  return draw("svg", frame, ...shapes);
}

function alternatives(found) {
  const items = found.map((a) => make(
    "li", {}, make("span", { lang: "zh" }, a.display || word("none")), make("span", {}, percent(a.probability, 2)),
  ));
  return make(
    "div", { class: "alternatives" }, make("h3", {}, word("others")), make("ol", {}, ...items),
  );
}
