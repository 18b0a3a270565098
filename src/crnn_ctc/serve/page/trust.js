// How far a confidence can be trusted, as a class that has a colour and a word.

export function trust(confidence) {
  return confidence >= 0.95 ? "good" : confidence >= 0.5 ? "unsure" : "bad";
}

// Whether a text was read, but is less probable than was asked for.
export function refused(reading) {
  return !reading.accepted && !reading.error && reading.text !== "";
}

// Its class, which has a colour and a word, and its confidence.
export function verdict(reading) {
  const kind = refused(reading) ? "refused" : trust(reading.confidence);
  return [kind, percent(reading.confidence)];
}

// The other texts that are worth a look: at 0.1 % or more.
export function likely(alternatives) {
  return alternatives.filter((a) => a.probability >= 0.001);
}

export function bound(share) { return `${Number((100 * share).toFixed(2))} %`; }

// 99.96 must not become 100, nor 0.001 nothing at all.
export function percent(confidence, digits = 1) {
  const least = 10 ** -digits;
  if (confidence > 0 && 100 * confidence < least) return `< ${least} %`;
  return `${Math.min(100 * confidence, 100 - least).toFixed(digits)} %`;
}
