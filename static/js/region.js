// A box drawn on the picture goes into the field that says where the reader sees the tumour.
// The field can be written by hand as well, and the picture shows it; without a mouse nothing is lost.
const SVG = "http://www.w3.org/2000/svg";
const canvas = document.querySelector("[data-draw]");
const field = document.querySelector("input[data-region]");
const picture = canvas?.querySelector("img");

if (field && picture && Number(canvas.dataset.width) > 0) {
  const width = Number(canvas.dataset.width);
  const height = Number(canvas.dataset.height);
  const layer = document.createElementNS(SVG, "svg");
  const box = document.createElementNS(SVG, "rect");
  layer.setAttribute("class", "draw-layer");
  layer.setAttribute("viewBox", `0 0 ${width} ${height}`);
  layer.setAttribute("aria-hidden", "true");
  layer.append(box);
  picture.parentElement.classList.add("draw-frame");
  picture.parentElement.append(layer);
  let start = null;

  // The picture rarely has the shape of its frame: beside or above it lies black that is none of it.
  const place = (event) => {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(layer.getScreenCTM().inverse());
    return [Math.min(Math.max(Math.round(x), 0), width), Math.min(Math.max(Math.round(y), 0), height)];
  };
  const show = (left, top, right, bottom) => {
    box.setAttribute("x", left);
    box.setAttribute("y", top);
    box.setAttribute("width", Math.max(right - left, 0));
    box.setAttribute("height", Math.max(bottom - top, 0));
  };
  const showWritten = () => {
    const numbers = (field.value.match(/\d+/g) ?? []).map(Number);
    const here = numbers.length === 5 && numbers[0] === Number(canvas.dataset.slice);
    show(...(here ? numbers.slice(1) : [0, 0, 0, 0]));
  };
  const drawn = (event) => {
    const [x, y] = place(event);
    return [Math.min(x, start[0]), Math.min(y, start[1]), Math.max(x, start[0]), Math.max(y, start[1])];
  };

  field.addEventListener("input", showWritten);
  showWritten();
  layer.addEventListener("click", (event) => event.preventDefault());
  layer.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    layer.setPointerCapture(event.pointerId);
    start = place(event);
  });
  layer.addEventListener("pointermove", (event) => {
    if (start) show(...drawn(event));
  });
  layer.addEventListener("pointerup", (event) => {
    if (!start) return;
    const edges = drawn(event);
    start = null;
    if (edges[0] === edges[2] || edges[1] === edges[3]) return;
    field.value = `${canvas.dataset.slice}: ${edges.join(", ")}`;
    const wrong = field.form.querySelector('input[name="wrong_region"]');
    if (wrong) wrong.checked = true;
  });
}
