// The page: pictures in by choosing, photographing, dropping or pasting; readings out.

import { Refused, models, parts, read, useKey } from "./api.js";
import { csv, save } from "./csv.js";
import { judged, showReading } from "./reading.js";
import { row } from "./table.js";
import { bound, refused } from "./trust.js";
import { keep, preferred, speak, word } from "./words.js";

const at = (id) => document.getElementById(id);
const drop = at("drop"), status = at("status"), shownAt = at("reading");

let served = null;
let entries = [];
let shown = null;
let said = ["", []];  // kept, so that it can be said again in the other language
let work = Promise.resolve();
let locked = [];  // pictures that were given before the key

// Values that are functions are words themselves.
function say(name, values = [], wrong = false) {
  said = [name, values, wrong];
  const now = values.map((value) => (typeof value === "function" ? value() : value));
  status.textContent = name ? word(name, ...now) : "";
  status.classList.toggle("wrong", wrong);
  // the text stands large below: this is for those who hear the page
  status.classList.toggle("hidden", name === "done");
}

function complain(error) {
  if (error instanceof Refused && error.status === 401) {
    at("unlock").hidden = false;
    say(at("key").value ? "badKey" : "locked", [], true);
    at("key").focus();
  } else if (error instanceof Refused) {
    say("wrong", [error.message], true);
  } else {
    console.error(error);
    say("gone", [], true);
  }
}

async function connect() {
  if (served) return;
  served = await models();
  at("unlock").hidden = true;
  at("model").replaceChildren(...served.models.map((m) => new Option(m.name)));
  offer(served.models[0].min_confidence);
  fit();
}

// The service's own least confidence is chosen at first, among the others.
function offer(least) {
  const options = [...at("least").options];
  if (!options.some((option) => Number(option.value) === least)) {
    const next = options.find((option) => Number(option.value) > least) || null;
    at("least").add(new Option(bound(least), least), next);
  }
  at("least").value = String(least);
}

// What to give depends on what the chosen model reads.
function fit() {
  const model = served && served.models.find((m) => m.name === at("model").value);
  if (!model) return;
  const digits = /^[0-9]*$/.test(model.characters);
  at("hint").dataset.word = model.approximate_places ? "hintPlates" : digits ? "hintDigits" : "hintText";
  at("hint").textContent = word(at("hint").dataset.word);
}

function roughly(name) {
  return served.models.find((m) => m.name === name).approximate_places;
}

function render() {
  shownAt.hidden = !shown;
  if (shown) {
    showReading(shownAt, shown, roughly(shown.model), (k) => {
      shown = entries.find((entry) => entry.url === shown.url && entry.chosen === k);
      render();
    });
  }
  at("list").hidden = entries.length < 2;
  at("rows").replaceChildren(...entries.map((entry) => row(entry, entry === shown, () => {
    shown = entry;
    render();
    shownAt.focus();
    shownAt.scrollIntoView({ block: "nearest" });
  })));
}

function conclude(fresh, pictures) {
  const wrong = fresh.filter((entry) => entry.reading.error);
  if (pictures === 1 && fresh.length > 1) {
    say("plates", [fresh.length]);
    return;
  }
  if (fresh.length > 1) {
    const guesses = fresh.filter((entry) => refused(entry.reading));
    const counted = (name, { length }) => () => (length ? word(name, length) : "");
    const others = [counted("someRefused", guesses), counted("someWrong", wrong)];
    say("several", [pictures - wrong.length, ...others], wrong.length > 0);
    return;
  }
  const { reading } = fresh[0];
  if (reading.error) say("wrong", [reading.error], true);
  else if (!reading.text) say(reading.plates ? "noPlate" : "none");
  else {
    const text = () => `${refused(reading) ? `${word("perhaps")} ` : ""}${reading.display}`;
    say("done", [text, () => judged(reading)]);
  }
}

// One entry a picture, or one a plate of a photograph; what shares a photograph shares its address.
function entriesOf(reading, file, given) {
  const url = URL.createObjectURL(file), name = file.name || word("pasted");
  const { plates } = reading;
  if (!plates || !plates.length) return [{ url, name, reading, plates, ...given }];
  return plates.map((plate, chosen) => ({
    url, name: plates.length > 1 ? `${name} (${chosen + 1})` : name, reading: plate, plates, chosen, ...given,
  }));
}

async function readAll(files) {
  await connect();
  const model = at("model").value, least = at("least").value, { limits } = served;
  const asked = { model, alternatives: at("others").value, min_confidence: least };
  const large = files.find((file) => file.size + 1000 > limits.body_bytes);
  if (large) {
    say("large", [large.name, limits.body_bytes / 1e6], true);
    return;
  }
  const fresh = [];
  let pictures = 0;
  for (const part of parts(files, limits)) {
    say("reading", [pictures + 1, files.length]);
    const readings = await read(part, asked, (s) => say("busy", [s], true));
    readings.forEach((reading, i) => {
      fresh.push(...entriesOf(reading, part[i], { model, least: Number(least) }));
    });
    pictures += readings.length;
    entries = [...entries.filter((entry) => !fresh.includes(entry)), ...fresh];
    shown = fresh[0];
    render();
  }
  conclude(fresh, pictures);
}

// One after the other: readings stand in the order in which pictures were given.
function give(list) {
  const files = [...list].filter((file) => !file.type || file.type.startsWith("image/"));
  if (!files.length) {
    say("notPicture", [], true);
    return;
  }
  work = work.then(() => readAll(files)).catch((error) => {
    if (error instanceof Refused && error.status === 401) locked.push(...files);
    complain(error);
  });
}

for (const id of ["files", "camera"]) {
  at(id).addEventListener("change", ({ target }) => {
    if (target.files.length) give(target.files);
    target.value = ""; // the same file may be given again
  });
}
addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  give(event.dataTransfer.files);
});
addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) {
    event.preventDefault();
    give(event.clipboardData.files);
  }
});
at("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(at("key").value);
  connect().then(() => {
    say("");
    if (locked.length) give(locked.splice(0));
  }).catch(complain);
});
at("download").addEventListener("click", () => save(csv(entries), "readings.csv"));
at("clear").addEventListener("click", () => {
  for (const { url } of entries) URL.revokeObjectURL(url);
  entries = [];
  shown = null;
  say("");
  render();
  at("files").focus();
});
at("model").addEventListener("change", fit);
at("language").addEventListener("change", ({ target }) => {
  keep(target.value);
  speak(target.value);
  say(...said);
  render();
});

at("language").value = preferred();
speak(at("language").value);
connect().catch(complain);
