// One scan on a canvas: the slice through a window, the outline over it, measurements, mouse, touch and keys.

import { Measures } from "./viewer_measures.js";
import { Slices } from "./viewer_slices.js";

const FONT = "600 14px Inter, sans-serif";
const NEAR_PX = 4;
const SAY_AFTER_MS = 400;
const NOTCH = 40;
const LINE_PX = 16;
const SWIPE_PX = 14;
const MOST_ZOOM = 24;
const MEASURING = new Set(["length", "area"]);
const within = (value, low, high) => Math.min(Math.max(value, low), high);

export class Pane {
  constructor(element, settings, words) {
    this.facts = JSON.parse(element.dataset.pane);
    this.element = element;
    this.settings = settings;
    this.words = words;
    this.stage = element.querySelector("[data-stage]");
    this.canvas = this.stage.querySelector("canvas");
    this.slider = element.querySelector("[data-slider]");
    this.here = element.querySelector("[data-here]");
    this.slices = new Slices(this.facts, element.querySelector("[data-fallback] img"));
    this.measures = new Measures(this.facts.spacing, document.documentElement.lang);
    this.drawn = new OffscreenCanvas(1, 1);
    this.shown = null;
    this.index = this.facts.index;
    this.view = { zoom: 1, x: 0, y: 0 };
    this.cross = null;
    this.pointers = new Map();
    this.onslice = () => {};
    this.onwindow = () => {};
    this.begin();
  }

  begin() {
    this.element.querySelector("[data-fallback]").hidden = true;
    this.stage.hidden = false;
    const scrub = this.element.querySelector("[data-scrub]");
    if (scrub) scrub.hidden = false;
    new ResizeObserver(() => this.draw()).observe(this.stage);
    this.slider?.addEventListener("input", () => this.go(Number(this.slider.value) - 1));
    this.element.querySelector("[data-curve]")?.addEventListener("click", (event) => this.jump(event));
    this.element.addEventListener("click", (event) => this.follow(event));
    this.stage.addEventListener("keydown", (event) => this.pressed(event));
    this.stage.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    this.stage.addEventListener("contextmenu", (event) => event.preventDefault());
    this.stage.addEventListener("pointerdown", (event) => this.down(event));
    this.stage.addEventListener("pointermove", (event) => this.moved(event));
    for (const name of ["pointerup", "pointercancel"]) this.stage.addEventListener(name, (event) => this.up(event));
    this.go(this.index);
  }

  // --- Slices

  get last() {
    return this.slices.count - 1;
  }

  get place() {
    return this.last ? this.index / this.last : 0;
  }

  async go(index, told = true) {
    const wanted = within(Math.round(index), 0, this.last);
    const step = wanted - this.index;
    this.index = wanted;
    if (this.slider) this.slider.value = String(wanted + 1);
    for (const name of ["x1", "x2"]) this.here?.setAttribute(name, String(wanted));
    this.say();
    if (told) this.onslice(this);
    await this.load(wanted);
    if (this.index === wanted) this.slices.prefetch(wanted, step);
  }

  async load(index) {
    this.draw();
    const broken = this.element.querySelector("[data-broken]");
    const mask = this.slices.outlined.has(index) ? this.slices.masks.get(index) : null;
    try {
      await this.slices.pictures.get(index);
      if (this.index === index) broken.hidden = true;
      this.draw();
      await mask;
      this.draw();
    } catch {
      if (this.index === index) broken.hidden = false;
    }
  }

  jump(event) {
    const frame = event.currentTarget.getBoundingClientRect();
    this.go(((event.clientX - frame.left) / frame.width) * this.last);
  }

  follow(event) {
    const link = event.target.closest("[data-go]");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.go(Number(link.dataset.go));
    this.stage.focus();
  }

  get sliceWords() {
    const { slices, suspicion } = this.facts;
    const words = [this.words.fill("sliceOf", { slice: this.index + 1, slices })];
    if (suspicion.length > 1) {
      const share = suspicion[this.index];
      words.push(share === null ? this.words.fill("notJudged") : this.words.fill("suspicion", { share }));
    }
    return words.join(", ");
  }

  // What is heard waits until the scrolling rests.
  say() {
    const words = this.sliceWords;
    this.slider?.setAttribute("aria-valuetext", words);
    this.element.querySelector("[data-readout=slice]").textContent = words;
    clearTimeout(this.saying);
    this.saying = setTimeout(() => { this.element.querySelector("[data-said]").textContent = words; }, SAY_AFTER_MS);
    this.element.dataset.index = String(this.index);
  }

  // --- Drawing

  // From pixels of the slice as stored to pixels of the stage.
  get place2d() {
    const { width, height } = this.size;
    const [row, column] = this.facts.spacing || [1, 1];
    const least = Math.min(row, column);
    const [wide, high] = [column / least, row / least];
    const [w, h] = [this.stage.clientWidth, this.stage.clientHeight];
    const scale = Math.min(w / (width * wide), h / (height * high)) * this.view.zoom;
    const [sx, sy] = [wide * scale, high * scale];
    return new DOMMatrix([sx, 0, 0, sy, w / 2 + this.view.x - (width * sx) / 2, h / 2 + this.view.y - (height * sy) / 2]);
  }

  // A large slice comes smaller than it is; the facts tell how large it is.
  get size() {
    const { width, height } = this.shown || { width: 1, height: 1 };
    if (Math.max(width, height) < 1024 || !this.facts.width) return { width, height };
    return { width: this.facts.width, height: this.facts.height };
  }

  at(event) {
    const frame = this.stage.getBoundingClientRect();
    const point = this.place2d.inverse().transformPoint(new DOMPoint(event.clientX - frame.left, event.clientY - frame.top));
    return this.inside([point.x, point.y]);
  }

  inside([x, y]) {
    return [within(x, 0, this.size.width), within(y, 0, this.size.height)];
  }

  draw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.paint();
    });
  }

  paint() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const dense = Math.min(window.devicePixelRatio || 1, 2);
    if (!width) return;
    this.canvas.width = Math.round(width * dense);
    this.canvas.height = Math.round(height * dense);
    const slice = this.slices.pictures.at(this.index);
    this.stage.dataset.ready = slice ? String(this.index) : "";
    this.shown = slice || this.shown;
    if (!this.shown) return;
    this.expose(this.shown);
    const context = this.canvas.getContext("2d");
    const place = this.place2d;
    const size = this.size;
    context.setTransform(new DOMMatrix([dense, 0, 0, dense, 0, 0]).multiply(place));
    context.imageSmoothingQuality = "high";
    context.drawImage(this.drawn, 0, 0, size.width, size.height);
    if (slice && this.settings.overlay) this.paintOutline(context, place, dense, size);
    context.setTransform(dense, 0, 0, dense, 0, 0);
    if (slice && this.settings.overlay) this.paintRegions(context, place);
    this.paintMeasures(context, place);
    this.tell();
  }

  // The grey values through the window.
  expose(slice) {
    const { width, level, invert } = this.settings;
    const table = new Uint32Array(256);
    for (let value = 0; value < 256; value += 1) {
      const bright = Math.round(within((value - level + width / 2) / width, 0, 1) * 255);
      const seen = invert ? 255 - bright : bright;
      table[value] = 0xff000000 | (seen << 16) | (seen << 8) | seen;
    }
    const key = `${this.index}/${slice.values.length}/${width}/${level}/${invert}`;
    if (this.exposed?.key === key && this.exposed.slice === slice) return;
    this.exposed = { key, slice };
    [this.drawn.width, this.drawn.height] = [slice.width, slice.height];
    const context = this.drawn.getContext("2d");
    const image = context.createImageData(slice.width, slice.height);
    const target = new Uint32Array(image.data.buffer);
    for (let i = 0; i < target.length; i += 1) target[i] = table[slice.values[i]];
    context.putImageData(image, 0, 0);
  }

  paintOutline(context, place, dense, size) {
    const mask = this.slices.masks.at(this.index);
    this.stage.dataset.overlay = mask ? (this.settings.outline ? "border" : "filled") : "";
    if (!mask) return;
    context.save();
    if (!this.settings.outline) {
      context.globalAlpha = this.settings.opacity;
      context.drawImage(mask.canvas, 0, 0, size.width, size.height);
    }
    context.restore();
    context.setTransform(dense, 0, 0, dense, 0, 0);
    const border = new Path2D();
    border.addPath(mask.border, place.scale(size.width / mask.width, size.height / mask.height));
    context.strokeStyle = this.words.colour;
    context.lineWidth = this.settings.outline ? 2 : 1;
    context.stroke(border);
    this.paintBox(context, place);
  }

  paintBox(context, place) {
    const { box, boxSlice } = this.facts;
    if (!box || boxSlice !== this.index) return;
    const [from, to] = [place.transformPoint(new DOMPoint(box[0], box[1])), place.transformPoint(new DOMPoint(box[2], box[3]))];
    context.setLineDash([6, 4]);
    context.lineWidth = 1;
    context.strokeRect(from.x - 5, from.y - 5, to.x - from.x + 10, to.y - from.y + 10);
    context.setLineDash([]);
  }

  // Where readers have seen the finding instead.
  paintRegions(context, place) {
    context.font = FONT;
    for (const { box, reader } of this.facts.regions.filter((region) => region.slice === this.index)) {
      const [from, to] = [place.transformPoint(new DOMPoint(box[0], box[1])), place.transformPoint(new DOMPoint(box[2], box[3]))];
      const path = new Path2D();
      path.rect(from.x, from.y, to.x - from.x, to.y - from.y);
      context.setLineDash([2, 4]);
      this.line(context, path);
      context.setLineDash([]);
      this.write(context, reader, Math.min(from.x, to.x), Math.min(from.y, to.y) - 8);
    }
  }

  paintMeasures(context, place) {
    const spot = ([x, y]) => place.transformPoint(new DOMPoint(x, y));
    context.font = FONT;
    for (const one of this.measures.on(this.index)) {
      const [a, b] = [spot(one.from), spot(one.to)];
      const path = new Path2D();
      if (one.kind === "length") {
        path.moveTo(a.x, a.y);
        path.lineTo(b.x, b.y);
      } else path.ellipse((a.x + b.x) / 2, (a.y + b.y) / 2, Math.abs(b.x - a.x) / 2, Math.abs(b.y - a.y) / 2, 0, 0, 2 * Math.PI);
      this.line(context, path);
      this.write(context, this.measures.value(one), Math.max(a.x, b.x) + 8, (a.y + b.y) / 2);
    }
    if (!this.cross || !MEASURING.has(this.settings.tool)) return;
    const { x, y } = spot(this.cross);
    this.line(context, new Path2D(`M${x - 12} ${y}h24M${x} ${y - 12}v24`));
  }

  // Light on a dark rim, to be seen on every grey.
  line(context, path) {
    for (const [width, colour] of [[4, "#000"], [1.75, "#7fe0ff"]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.stroke(path);
    }
  }

  write(context, text, x, y) {
    const left = Math.min(x, this.stage.clientWidth - context.measureText(text).width - 6);
    context.lineWidth = 4;
    context.strokeStyle = "#000";
    context.strokeText(text, left, y);
    context.fillStyle = "#7fe0ff";
    context.fillText(text, left, y);
  }

  tell() {
    const { width, level, overlay } = this.settings;
    if (!overlay) this.stage.dataset.overlay = "";
    this.stage.dataset.window = `${Math.round(width)}/${Math.round(level)}`;
    const zoom = `${Math.round(this.view.zoom * 100)}%`;
    const [row, column] = this.facts.spacing || [];
    const fine = (value) => this.words.number(value);
    const spacing = row ? this.words.fill("spacing", { row: fine(row), column: fine(column) }) : this.words.fill("noSpacing");
    this.element.querySelector("[data-readout=window]").textContent = this.words.fill("grey", { width: Math.round(width), level: Math.round(level) });
    this.element.querySelector("[data-readout=zoom]").textContent = `${zoom} · ${spacing}`;
  }

  listMeasures() {
    const list = this.element.querySelector("[data-measures]");
    list.replaceChildren(...this.measures.all.map((one) => {
      const row = document.createElement("li");
      const words = this.words.fill(one.kind, { value: this.measures.value(one) });
      row.textContent = this.last ? this.words.fill("onSlice", { words, slice: one.slice + 1 }) : words;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "link";
      button.textContent = this.words.fill("remove");
      button.setAttribute("aria-label", `${button.textContent}: ${row.textContent}`);
      button.addEventListener("click", () => {
        this.measures.remove(one);
        this.listMeasures();
        this.stage.focus();
      });
      row.append(" ", button);
      return row;
    }));
    this.draw();
  }

  clearMeasures() {
    this.measures.clear();
    this.listMeasures();
  }

  // --- Size and window

  // Around a point of the stage, its middle where none is given.
  zoom(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const zoom = within(this.view.zoom * factor, 0.25, MOST_ZOOM);
    const by = zoom / this.view.zoom;
    const [dx, dy] = [x - this.stage.clientWidth / 2, y - this.stage.clientHeight / 2];
    this.view = { zoom, x: dx - (dx - this.view.x) * by, y: dy - (dy - this.view.y) * by };
    this.draw();
  }

  move(dx, dy) {
    this.view.x += dx;
    this.view.y += dy;
    this.draw();
  }

  fit() {
    this.view = { zoom: 1, x: 0, y: 0 };
    this.draw();
  }

  // The grey values below which these shares of what is not background lie.
  shares(...wanted) {
    const counts = new Uint32Array(256);
    for (const value of this.shown?.values ?? []) counts[value] += 1;
    counts.fill(0, 0, 8);
    const all = counts.reduce((sum, count) => sum + count, 0);
    return wanted.map((share) => {
      let seen = 0;
      return within(counts.findIndex((count) => { seen += count; return seen >= share * all; }), 0, 255);
    });
  }

  // --- Mouse, touch, keys

  wheeled(event) {
    const [x, y] = [event.offsetX, event.offsetY];
    if (event.ctrlKey) {
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, x, y);
    } else if (this.last) {
      event.preventDefault();
      this.rolled = (this.rolled || 0) + event.deltaY * (event.deltaMode === 1 ? LINE_PX : 1);
      if (Math.abs(this.rolled) < NOTCH) return;
      this.go(this.index + Math.sign(this.rolled) * Math.max(1, Math.min(3, Math.floor(Math.abs(this.rolled) / 100))));
      this.rolled = 0;
    }
  }

  down(event) {
    this.stage.focus({ preventScroll: true });
    event.preventDefault();
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    this.gesture = this.pointers.size > 1 ? "pinch" : this.gestureOf(event);
    this.travelled = 0;
    if (this.pointers.size > 1) this.measures.open = null;
    else if (MEASURING.has(this.gesture)) this.point(event);
  }

  gestureOf(event) {
    if (event.button === 1 || event.shiftKey) return "move";
    return event.button === 2 ? "zoom" : this.settings.tool;
  }

  point(event) {
    const point = this.at(event);
    if (this.measures.open && this.measures.end(point)) this.listMeasures();
    else this.measures.begin(this.gesture, this.index, point);
  }

  moved(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (this.measures.open) this.dragged(event);
      return;
    }
    const others = [...this.pointers.values()].filter((one) => one.pointerId !== event.pointerId);
    this.pointers.set(event.pointerId, event);
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    this.drag(dx, dy, before, event, others[0]);
  }

  drag(dx, dy, before, event, other) {
    if (this.gesture === "pinch") this.pinched(dx, dy, before, event, other);
    else if (this.gesture === "move") this.move(dx, dy);
    else if (this.gesture === "zoom") this.zoom(1.01 ** -dy);
    else if (this.gesture === "window") this.onwindow(dx, dy);
    else if (this.gesture === "scroll") this.swiped(dy);
    else this.dragged(event);
  }

  dragged(event) {
    this.measures.drag(this.at(event));
    this.draw();
  }

  swiped(dy) {
    this.travelled += dy;
    const steps = Math.trunc(this.travelled / SWIPE_PX);
    if (!steps) return;
    this.travelled -= steps * SWIPE_PX;
    this.go(this.index + steps);
  }

  pinched(dx, dy, before, event, other) {
    if (!other) return;
    const apart = (one) => Math.max(1, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY));
    const frame = this.stage.getBoundingClientRect();
    this.move(dx / 2, dy / 2);
    this.zoom(apart(event) / apart(before), (event.clientX + other.clientX) / 2 - frame.left, (event.clientY + other.clientY) / 2 - frame.top);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId) || !MEASURING.has(this.gesture) || !this.measures.open) return;
    const { from } = this.measures.open;
    const [a, b] = [from, this.at(event)].map(([x, y]) => this.place2d.transformPoint(new DOMPoint(x, y)));
    if (Math.hypot(a.x - b.x, a.y - b.y) < NEAR_PX) return;
    if (this.measures.end(this.at(event))) this.listMeasures();
  }

  pressed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const done = MEASURING.has(this.settings.tool) ? this.measured(event) || this.scrolled(event) : this.scrolled(event);
    if (done) event.preventDefault();
  }

  scrolled(event) {
    const target = {
      ArrowDown: this.index + 1, ArrowRight: this.index + 1, ArrowUp: this.index - 1, ArrowLeft: this.index - 1,
      PageDown: this.index + 10, PageUp: this.index - 10, Home: 0, End: this.last,
    }[event.key];
    if (target === undefined) return false;
    if (event.shiftKey && event.key.startsWith("Arrow")) {
      const [x, y] = { ArrowDown: [0, 1], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowLeft: [-1, 0] }[event.key];
      this.move(24 * x, 24 * y);
    } else if (this.last) this.go(target);
    else return false;
    return true;
  }

  // The cross moves a pixel of the slice, with Shift ten.
  measured(event) {
    const step = event.shiftKey ? 10 : 1;
    const [x, y] = { ArrowDown: [0, step], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowLeft: [-step, 0] }[event.key] || [0, 0];
    const enter = event.key === "Enter";
    if (!x && !y && !enter && event.key !== "Escape") return false;
    this.cross = this.inside([(this.cross?.[0] ?? this.size.width / 2) + x, (this.cross?.[1] ?? this.size.height / 2) + y]);
    if (event.key === "Escape") this.measures.open = null;
    else if (!enter) this.measures.drag(this.cross);
    else if (!this.measures.open) this.measures.begin(this.settings.tool, this.index, this.cross);
    else if (this.measures.end(this.cross)) this.listMeasures();
    this.draw();
    return true;
  }
}
