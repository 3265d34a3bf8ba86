// Lengths and areas between two points of a slice, in the pixels of that slice as it was stored.

export class Measures {
  constructor(spacing, language) {
    [this.row, this.column] = spacing || [1, 1];
    this.unit = spacing ? "mm" : "px";
    this.number = new Intl.NumberFormat(language, { maximumFractionDigits: 1, minimumFractionDigits: 1 });
    this.all = [];
    this.open = null;
  }

  begin(kind, slice, point) {
    this.open = { kind, slice, from: point, to: point };
  }

  drag(point) {
    if (this.open) this.open.to = point;
  }

  // A click without a drag leaves the second point to the next click.
  end(point) {
    if (!this.open) return false;
    this.open.to = point;
    const { from, to } = this.open;
    if (Math.hypot(to[0] - from[0], to[1] - from[1]) < 1) return false;
    this.all.push(this.open);
    this.open = null;
    return true;
  }

  on(slice) {
    return [...this.all, this.open].filter((one) => one?.slice === slice);
  }

  remove(one) {
    this.all = this.all.filter((other) => other !== one);
  }

  clear() {
    this.all = [];
    this.open = null;
  }

  // An area is that of the ellipse between the two corners.
  value({ kind, from, to }) {
    const across = Math.abs(to[0] - from[0]) * this.column;
    const down = Math.abs(to[1] - from[1]) * this.row;
    const amount = kind === "length" ? Math.hypot(across, down) : (Math.PI / 4) * across * down;
    return `${this.number.format(amount)} ${this.unit}${kind === "length" ? "" : "²"}`;
  }
}
