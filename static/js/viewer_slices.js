// The slices of one scan as grey values, and outlines as paths. What was fetched is kept while it fits.

const KEPT_BYTES = 96 * 2 ** 20;
const AT_ONCE = 4;

const address = (first, index) => first.replace(/\/0\.png$/, `/${index}.png`);

async function bitmapOf(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(String(response.status));
  return createImageBitmap(await response.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}

// What the page itself has loaded is not asked for again: every look is recorded.
async function bitmapOfImage(image) {
  await image.decode();
  return createImageBitmap(image, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}

function pixelsOf(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width: canvas.width, height: canvas.height, canvas, rgba: context.getImageData(0, 0, canvas.width, canvas.height).data };
}

function grey(bitmap) {
  const { width, height, rgba } = pixelsOf(bitmap);
  const values = new Uint8Array(width * height);
  for (let i = 0; i < values.length; i += 1) values[i] = rgba[4 * i];
  return { width, height, values, bytes: values.length };
}

function outline(bitmap) {
  const { width, height, rgba, canvas } = pixelsOf(bitmap);
  return { width, height, canvas, border: border(width, height, rgba), bytes: 5 * width * height };
}

// Along the edges of pixels, between what is outlined and what is not.
function border(width, height, rgba) {
  const path = new Path2D();
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && rgba[4 * (y * width + x) + 3] > 0;
  for (let y = 0; y <= height; y += 1) {
    for (let x = 0; x <= width; x += 1) {
      const here = inside(x, y);
      if (here !== inside(x - 1, y)) { path.moveTo(x, y); path.lineTo(x, y + 1); }
      if (here !== inside(x, y - 1)) { path.moveTo(x, y); path.lineTo(x + 1, y); }
    }
  }
  return path;
}

class Kept {
  constructor(load) {
    this.load = load;
    this.found = new Map();
    this.bytes = 0;
    this.coming = new Map();
  }

  at(index) {
    const one = this.found.get(index);
    if (one) {
      this.found.delete(index);
      this.found.set(index, one);
    }
    return one;
  }

  get(index) {
    if (this.found.has(index)) return Promise.resolve(this.at(index));
    if (!this.coming.has(index)) {
      const loading = this.load(index).then((one) => this.keep(index, one)).finally(() => this.coming.delete(index));
      this.coming.set(index, loading);
    }
    return this.coming.get(index);
  }

  keep(index, one) {
    this.found.set(index, one);
    this.bytes += one.bytes;
    for (const [oldest, other] of this.found) {
      if (this.bytes <= KEPT_BYTES || oldest === index) break;
      this.found.delete(oldest);
      this.bytes -= other.bytes;
    }
    return one;
  }

  get busy() {
    return this.coming.size;
  }
}

export class Slices {
  // `image` is that of `facts.index`, which the page brought along.
  constructor(facts, image) {
    this.count = facts.slices;
    this.outlined = new Set(facts.outlined);
    this.pictures = new Kept(async (index) => {
      const bitmap = index === facts.index ? bitmapOfImage(image) : bitmapOf(`${address(facts.picture, index)}?side=1024`);
      return grey(await bitmap);
    });
    this.masks = new Kept(async (index) => outline(await bitmapOf(address(facts.mask, index))));
  }

  // Those around `index`, more of them in the direction of travel.
  async prefetch(index, step) {
    const ahead = Math.sign(step) || 1;
    for (const away of [ahead, 2 * ahead, -ahead, 3 * ahead, 4 * ahead]) {
      const next = index + away;
      if (next < 0 || next >= this.count || this.pictures.busy >= AT_ONCE) continue;
      this.pictures.get(next).catch(() => {});
      if (this.outlined.has(next)) this.masks.get(next).catch(() => {});
    }
  }
}
