"use strict";

// Pictures: each waits as text in an element of its own and is decoded when it is first shown.

const arrived = new Promise((resolve) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", resolve);
  else resolve();
});

/** The address of the picture `id`, whose element may not have been read yet. */
async function address(id) {
  if (!document.getElementById(id)?.nextSibling) await arrived; // its text may still be growing
  return `data:image/png;base64,${document.getElementById(id).textContent}`;
}

/** Red, green and blue of every pixel, with opacity in between, as a canvas has them. */
async function pixels(id) {
  const image = new Image();
  image.src = await address(id);
  await image.decode();
  const canvas = blank(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function blank(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** The address of a map: `level(k)`, in [0, 1] or beyond, is that of pixel k. */
function painted(width, height, level) {
  const canvas = blank(width, height);
  const context = canvas.getContext("2d");
  const map = context.createImageData(width, height);
  for (let k = 0; k < width * height; k++) {
    map.data.set(DATA.colours[Math.round(255 * Math.min(1, level(k)))], 4 * k);
  }
  context.putImageData(map, 0, 0);
  return canvas.toDataURL();
}

async function uncertaintyMap(entry) {
  const { data, width, height } = await pixels(entry.pictures.uncertainty);
  const unit = entry.widest / 255 / entry.scale;
  return painted(width, height, (k) => data[4 * k] * unit);
}

/** The magnitude of reconstruction - truth, averaged over channels. */
async function errorMap(entry) {
  const [one, other] = await Promise.all([
    pixels(entry.pictures.reconstruction),
    pixels(entry.pictures.truth),
  ]);
  const unit = entry.white / 255 / 3 / entry.scale;
  return painted(one.width, one.height, (k) => {
    let sum = 0;
    for (let c = 4 * k; c < 4 * k + 3; c++) sum += Math.abs(one.data[c] - other.data[c]);
    return sum * unit;
  });
}

/** All that can be shown of an entry: key, label and a promise of an address. */
function viewsOf(entry) {
  const { measurement, reconstruction, truth, uncertainty } = entry.pictures;
  const views = [];
  const add = (key, label, url) => views.push({ key, label, url });
  if (measurement) add("measurement", "Measurement", address(measurement));
  if (reconstruction) add("reconstruction", "Reconstruction", address(reconstruction));
  if (truth) add("truth", "Truth", address(truth));
  if (uncertainty) add("uncertainty", "Uncertainty", uncertaintyMap(entry));
  if (reconstruction && truth) add("error", "Error", errorMap(entry));
  entry.samples.forEach((id, k) => add(`sample ${k + 1}`, `Sample ${k + 1}`, address(id)));
  return views;
}
