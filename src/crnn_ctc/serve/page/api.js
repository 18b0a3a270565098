// The service, asked. Addresses are relative: the page may stand under any path of a proxy.

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

let key = "";

export function useKey(given) { key = given; }

async function ask(address, options = {}) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  return fetch(address, { ...options, headers, cache: "no-store" });
}

async function problem(response) {
  const said = await response.json().catch(() => ({}));
  return new Refused(response.status, said.detail || response.statusText);
}

export async function models() {
  const response = await ask("v1/models");
  if (!response.ok) throw await problem(response);
  return response.json();
}

// Files in parts that the service takes, few enough that the first readings are soon there.
export function parts(files, limits) {
  const found = [];
  let size = Infinity;
  for (const file of files) {
    const last = found[found.length - 1];
    // a form adds some bytes to each file
    if (size + file.size + 1000 > limits.body_bytes || last.length >= Math.min(16, limits.pictures)) {
      found.push([]);
      size = 0;
    }
    found[found.length - 1].push(file);
    size += file.size + 1000;
  }
  return found;
}

const TRIES = 5;

// `asked`: model, alternatives and min_confidence.
export async function read(files, asked, waiting) {
  const query = new URLSearchParams(asked);
  for (let left = TRIES; ; left--) {
    const form = new FormData();
    for (const file of files) form.append("pictures", file, file.name || "picture");
    const response = await ask(`v1/read?${query}`, { method: "POST", body: form });
    if (response.ok) return (await response.json()).readings;
    if (response.status !== 503 || !left) throw await problem(response);
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    waiting(seconds);
    await new Promise((done) => setTimeout(done, seconds * 1000));
  }
}
