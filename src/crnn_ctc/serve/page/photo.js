// A photograph with its plates outlined, and one of them straightened.

import { draw, make } from "./dom.js";
import { verdict } from "./trust.js";
import { word } from "./words.js";

// The outlines are buttons: `pick` is given the number of the plate that was chosen.
export function photograph({ url, name, plates, chosen }, pick) {
  const image = make("img", { alt: name });
  const box = make("div", { class: "photo" }, image);
  image.addEventListener("load", () => {
    const { naturalWidth: width, naturalHeight: height } = image;
    box.style.maxWidth = `min(34rem, ${(60 * width) / height}vh)`;
    const frame = { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": word("plates", plates.length) };
    box.append(draw("svg", frame, ...plates.map((plate, k) => outline(plate, k, k === chosen, pick))));
  });
  image.addEventListener("error", () => {
    image.replaceWith(make("p", { class: "places" }, word("unseen")));
  });
  image.src = url;
  return box;
}

function outline(plate, k, current, pick) {
  const points = plate.corners.map((corner) => corner.join(",")).join(" ");
  const shape = draw("polygon", {
    points, class: `${verdict(plate)[0]}${current ? " current" : ""}`, tabindex: 0, role: "button",
    "aria-label": plate.display, "aria-pressed": current,
  }, draw("title", {}, plate.display));
  shape.addEventListener("click", () => pick(k));
  shape.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      pick(k);
    }
  });
  return shape;
}

const WIDE = 640;

// The plate seen from the front, but for its perspective: three of its corners are put in place.
export function closeUp(url, { corners }) {
  const [[x, y], [xr, yr], , [xb, yb]] = corners;
  const [ax, ay, bx, by] = [xr - x, yr - y, xb - x, yb - y];
  const area = ax * by - ay * bx;
  const high = Math.round(WIDE * Math.min(1, Math.max(0.2, Math.hypot(bx, by) / Math.hypot(ax, ay))));
  const canvas = make("canvas", { width: WIDE, height: high, class: "close" });
  const image = new Image();
  image.addEventListener("load", () => {
    const [a, c, b, d] = [(WIDE * by) / area, (-WIDE * bx) / area, (-high * ay) / area, (high * ax) / area];
    const context = canvas.getContext("2d");
    context.setTransform(a, b, c, d, -(a * x + c * y), -(b * x + d * y));
    context.drawImage(image, 0, 0);
  });
  image.src = url;
  return canvas;
}
