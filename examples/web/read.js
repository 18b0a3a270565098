// Reads a picture with a model file of crnn-ctc in the browser. docs/deploy.md says how to start it.
import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";

ort.env.wasm.numThreads = 1; // more threads need cross-origin isolation, and bring little here

/** Length-delimited fields of a protobuf message, each as [number, bytes]. */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const size = varint(); // of an integer field, the integer itself
    if (tag % 8 !== 2) continue;
    yield [Math.floor(tag / 8), bytes.subarray(at, at + size)];
    at += size;
  }
}

/** The card: JSON in the metadata, field 14 of ONNX's ModelProto; ONNX Runtime Web hides it. */
function readCard(bytes) {
  const decoder = new TextDecoder();
  for (const [number, entry] of fields(bytes)) {
    if (number !== 14) continue;
    const [key, value] = [...fields(entry)].map(([, text]) => decoder.decode(text));
    if (key === "crnn_ctc") return JSON.parse(value);
  }
  throw new Error("model.onnx is not a model of crnn-ctc.");
}

/** The picture as the model takes it: uint8 (1, H, W, C). */
function preprocess(image, [height, width, channels]) {
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, width, height);
  const rgba = context.getImageData(0, 0, width, height).data;
  const pixels = new Uint8Array(height * width * channels);
  for (let i = 0, j = 0; i < rgba.length; i += 4) {
    if (channels === 3) for (let c = 0; c < 3; c++) pixels[j++] = rgba[i + c];
    else pixels[j++] = 0.299 * rgba[i] + 0.587 * rgba[i + 1] + 0.114 * rgba[i + 2];
  }
  return new ort.Tensor("uint8", pixels, [1, height, width, channels]);
}

/** The map of a unit square to four corners [x, y] (Heckbert 1989, section 2.2.3). */
function homography([[x0, y0], [x1, y1], [x2, y2], [x3, y3]]) {
  const [ax, ay, bx, by] = [x1 - x2, y1 - y2, x3 - x2, y3 - y2];
  const [sx, sy] = [x0 - x1 + x2 - x3, y0 - y1 + y2 - y3];
  const det = ax * by - bx * ay || 1e-9;
  const [g, h] = [(sx * by - bx * sy) / det, (ax * sy - sx * ay) / det];
  return (u, v) => {
    const w = g * u + h * v + 1;
    return [
      ((x1 - x0 + g * x1) * u + (x3 - x0 + h * x3) * v + x0) / w,
      ((y1 - y0 + g * y1) * u + (y3 - y0 + h * y3) * v + y0) / w,
    ];
  };
}

/** The plate straightened: uint8 (1, H, W, 3), sampled from the picture's own pixels. */
function straighten(image, found, twoRows, margin, [height, width]) {
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const corners = [0, 2, 4, 6].map((i) => [found[i] * image.width, found[i + 1] * image.height]);
  const toPicture = homography(corners);
  const pixel = (x, y, c) => {
    const column = Math.min(Math.max(x, 0), image.width - 1);
    const row = Math.min(Math.max(y, 0), image.height - 1);
    return data[4 * (row * image.width + column) + c];
  };
  const left = Math.round(width / 3); // the upper row of two stands left of the lower
  const pixels = new Uint8Array(height * width * 3);
  for (let row = 0, j = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let [u, v] = [(column + 0.5) / width, (row + 0.5) / height];
      if (!twoRows) [u, v] = [u, v].map((share) => share * (1 + 2 * margin) - margin);
      else if (column < left) [u, v] = [0.15 + (0.7 * (column + 0.5)) / left, 0.44 * v];
      else [u, v] = [(column - left + 0.5) / (width - left), 0.33 + 0.67 * v];
      const [x, y] = toPicture(u, v).map((place) => place - 0.5);
      const [x0, y0] = [Math.floor(x), Math.floor(y)];
      for (let c = 0; c < 3; c++) {
        const top = pixel(x0, y0, c) * (x0 + 1 - x) + pixel(x0 + 1, y0, c) * (x - x0);
        const low = pixel(x0, y0 + 1, c) * (x0 + 1 - x) + pixel(x0 + 1, y0 + 1, c) * (x - x0);
        pixels[j++] = top * (y0 + 1 - y) + low * (y - y0);
      }
    }
  }
  return new ort.Tensor("uint8", pixels, [1, height, width, 3]);
}

/** T rows of K calibrated probabilities from log-probabilities (1, T, K). */
function calibrate({ data, dims: [, steps, classes] }, temperature) {
  return Array.from({ length: steps }, (_, t) => {
    const row = data.subarray(t * classes, (t + 1) * classes);
    const weights = Array.from(row, (value) => Math.exp(value / temperature));
    const sum = weights.reduce((a, b) => a + b);
    return weights.map((weight) => weight / sum);
  });
}

/** Best-path decoding: classes without repeats and blanks. */
function decode(rows, blank) {
  const path = rows.map((row) => row.indexOf(Math.max(...row)));
  return path.filter((label, t) => label !== blank && label !== path[t - 1]);
}

/** P(labels | picture), the sum over all alignments: CTC's forward algorithm. */
function probability(rows, labels, blank) {
  const states = [blank, ...labels.flatMap((label) => [label, blank])];
  let alpha = states.map((_, s) => Number(s === 0));
  for (const row of rows) {
    alpha = states.map((label, s) => {
      const skips = s > 1 && label !== blank && label !== states[s - 2];
      return row[label] * (alpha[s] + (alpha[s - 1] ?? 0) + (skips ? alpha[s - 2] : 0));
    });
  }
  return alpha.at(-1) + (alpha.at(-2) ?? 0);
}

/** The picture, and the plate's outline where the model finds corners, (1, 4, 2) in shares. */
function draw(image, corners) {
  const canvas = document.querySelector("#picture");
  [canvas.width, canvas.height] = [image.width, image.height];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  if (!corners) return;
  context.beginPath();
  for (let i = 0; i < 8; i += 2) {
    context.lineTo(corners.data[i] * image.width, corners.data[i + 1] * image.height);
  }
  context.closePath();
  context.lineWidth = Math.max(1, image.width / 150);
  context.strokeStyle = "#0c6";
  context.stroke();
}

const [input, output, status] = ["#file", "#text", "#status"].map((s) => document.querySelector(s));
const attempt = (work) => work().catch((error) => { status.textContent = error.message; });

attempt(async () => {
  const response = await fetch("model.onnx");
  if (!response.ok) throw new Error("model.onnx is missing: copy a model file beside this page.");
  const bytes = new Uint8Array(await response.arrayBuffer());
  const card = readCard(bytes);
  const blank = card.alphabet.blank;
  const characters = [...card.alphabet.symbols];
  const session = await ort.InferenceSession.create(bytes);
  const sizes = Object.fromEntries(
    session.inputMetadata.map(({ name, shape }) => [name, shape.slice(1)]),
  );
  const none = ([...size]) => new ort.Tensor("uint8", new Uint8Array(0), [0, ...size]);
  const network = async (image) => {
    if (!card.rectifier) return session.run({ images: preprocess(image, sizes.images) });
    // the input that is not asked for is an empty batch
    const views = preprocess(image, sizes.views);
    const { corners, rows } = await session.run({ images: none(sizes.images), views });
    const twoRows = rows.data[0] > 0.5;
    const { margin } = card.rectifier;
    const images = straighten(image, corners.data, twoRows, margin, sizes.images);
    const { log_probs } = await session.run({ images, views: none(sizes.views) });
    return { log_probs, corners };
  };
  const read = async () => {
    const image = await createImageBitmap(input.files[0]);
    const started = performance.now();
    const { log_probs, corners } = await network(image);
    const rows = calibrate(log_probs, card.temperature);
    const labels = decode(rows, blank);
    const confidence = probability(rows, labels, blank);
    const ms = performance.now() - started;
    draw(image, corners);
    output.textContent = labels.map((label) => characters[label]).join("") || "(no text)";
    status.textContent = `${(100 * confidence).toFixed(1)} %, ${ms.toFixed(0)} ms`;
  };
  input.addEventListener("change", () => attempt(read));
  input.disabled = false;
  status.textContent = `Ready: ${card.name}.`;
});
