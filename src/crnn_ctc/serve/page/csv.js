// Readings as comma-separated values that a spreadsheet opens without running anything.

function cell(value) {
  let text = String(value ?? "");
  // a spreadsheet takes these for the beginning of a formula
  if (/^[\s\u0000]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csv(entries) {
  const most = Math.max(0, ...entries.map(({ reading }) => reading.alternatives.length));
  const more = Array.from({ length: most }, (_, i) => [`alternative_${i + 1}`, `probability_${i + 1}`]);
  const rows = entries.map(({ name, reading }) => [
    name, reading.text, reading.display, reading.error ? "" : reading.confidence, reading.error,
    reading.accepted,
    ...reading.alternatives.flatMap((a) => [a.text, a.probability]),
  ]);
  const head = ["picture", "text", "display", "confidence", "error", "accepted", ...more.flat()];
  // the mark at the start tells spreadsheets that it is UTF-8
  return `\ufeff${[head, ...rows].map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}

export function save(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
