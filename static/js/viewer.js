// The viewer: a bar of tools for one or two panes. Without it the page shows one picture a slice, with links.

import { Pane } from "./viewer_pane.js";

const viewer = document.querySelector("[data-viewer]");
const bar = viewer.querySelector("[data-bar]");
const coarse = window.matchMedia("(pointer: coarse)").matches;
const find = (name) => bar.querySelector(`[data-${name}]`);
const button = (name) => bar.querySelector(`[data-do=${name}]`);

const WHOLE = { width: 255, level: 128 };
const IN_PLANES = new Set(["planes", "full", "invert", "reset", "overlay"]);
const settings = { ...WHOLE, invert: false, overlay: true, outline: false, opacity: 0.4, tool: "window" };
const language = document.documentElement.lang;
const number = new Intl.NumberFormat(language, { maximumFractionDigits: 3 });
const words = {
  fill: (name, values = {}) => viewer.dataset[name].replace(/\{(\w+)\}/g, (_, key) => values[key]),
  number: (value) => number.format(value),
  colour: getComputedStyle(viewer).getPropertyValue("--outline").trim(),
};
const panes = [...viewer.querySelectorAll("[data-pane]")].map((element) => new Pane(element, settings, words));
let linked = panes.length > 1;
let planes = null;

bar.hidden = false;
new ResizeObserver(tellHeightAbove).observe(bar);
for (const pane of panes) {
  pane.onslice = follow;
  pane.onwindow = (dx, dy) => grey(settings.width + dx, settings.level - dy, "own");
}
bar.addEventListener("click", (event) => {
  const pressed = event.target.closest("button");
  if (pressed?.dataset.tool) use(pressed.dataset.tool);
  else if (pressed?.dataset.do) acts[pressed.dataset.do]();
});
find("preset").addEventListener("change", (event) => preset(event.target.value));
find("opacity")?.addEventListener("input", (event) => { settings.opacity = event.target.value / 100; drawAll(); });
find("width").addEventListener("input", (event) => grey(Number(event.target.value), settings.level, "own"));
find("level").addEventListener("input", (event) => grey(settings.width, Number(event.target.value), "own"));
document.addEventListener("keydown", beside);
document.addEventListener("htmx:oobAfterSwap", arrived);
use(coarse ? (panes.some((pane) => pane.last) ? "scroll" : "move") : "window");
// The keys of the slices work at once.
if (document.activeElement === document.body) panes[0].stage.focus({ preventScroll: true });

const acts = {
  previous: () => panes[0].go(panes[0].index - 1),
  next: () => panes[0].go(panes[0].index + 1),
  in: () => { for (const pane of panes) pane.zoom(1.25); },
  out: () => { for (const pane of panes) pane.zoom(0.8); },
  fit: () => { for (const pane of panes) pane.fit(); },
  full: () => (document.fullscreenElement ? document.exitFullscreen() : viewer.requestFullscreen()),
  invert: () => toggle("invert"),
  overlay: () => toggle("overlay"),
  outline: () => toggle("outline"),
  decided: () => { for (const pane of panes) if (pane.facts.decided !== null) pane.go(pane.facts.decided, false); remember(); },
  clear: () => { for (const pane of panes) pane.clearMeasures(); },
  link: () => { linked = !linked; press(button("link"), linked); },
  reset,
  planes: showPlanes,
};

// The tools stand in as many lines as they need; the picture takes what is left of the window.
function tellHeightAbove() {
  const top = panes[0].stage.getBoundingClientRect().top + window.scrollY;
  if (!document.fullscreenElement) viewer.style.setProperty("--above", `${Math.round(top)}px`);
}

function drawAll() {
  for (const pane of panes) pane.draw();
  planes?.show();
}

function press(one, on) {
  one?.setAttribute("aria-pressed", String(on));
}

function toggle(name) {
  settings[name] = !settings[name];
  press(button(name), settings[name]);
  drawAll();
}

function use(tool) {
  settings.tool = tool;
  for (const one of bar.querySelectorAll("[data-tool]")) press(one, one.dataset.tool === tool);
  viewer.dataset.using = tool;
  for (const pane of panes) {
    pane.measures.open = null;
    pane.draw();
  }
}

function grey(width, level, name) {
  settings.width = Math.min(Math.max(width, 1), 510);
  settings.level = Math.min(Math.max(level, 0), 255);
  find("preset").value = name;
  find("width").value = String(settings.width);
  find("level").value = String(settings.level);
  drawAll();
}

function preset(name) {
  const [low, middle, high] = panes[0].shares(0.02, 0.5, 0.995);
  const edges = { full: [0, 255], auto: [low, high], dark: [0, middle], bright: [middle, 255] }[name];
  const width = Math.max(edges[1] - edges[0], 1);
  if (name === "full") grey(WHOLE.width, WHOLE.level, name);
  else grey(width, edges[0] + width / 2, name);
}

function reset() {
  Object.assign(settings, { invert: false, outline: false, overlay: true, opacity: 0.4 });
  for (const name of ["invert", "outline", "overlay"]) press(button(name), settings[name]);
  if (find("opacity")) find("opacity").value = "40";
  preset("full");
  for (const pane of panes) pane.fit();
}

// Linked panes stand at the same share of the way through their scans.
function follow(from) {
  if (linked) for (const pane of panes) if (pane !== from) pane.go(from.place * pane.last, false);
  remember();
}

// The address leads back to this slice.
function remember() {
  clearTimeout(remember.later);
  remember.later = setTimeout(() => {
    const here = new URL(location.href);
    here.searchParams.set("slice", String(panes[0].index + 1));
    if (panes[1]) here.searchParams.set("beside_slice", String(panes[1].index + 1));
    history.replaceState(history.state, "", here);
  }, 300);
}

// Left and right scroll wherever nothing else has the focus; they would do nothing there.
function beside(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || event.target !== document.body || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  panes[0].go(panes[0].index + step);
}

// The picture stays as the reader has it; what has come is a link away.
function arrived(event) {
  if (event.target.matches(".result") && !event.target.querySelector(".pulse")) viewer.querySelector("[data-arrived]").hidden = false;
}

// What acts on the slices alone does nothing while three planes are shown.
function atRest(rests) {
  for (const one of bar.querySelectorAll("[data-tool], [data-do]")) one.disabled = rests && !IN_PLANES.has(one.dataset.do);
}

async function showPlanes() {
  const open = planes;
  planes = null;
  press(button("planes"), !open);
  atRest(!open);
  open?.close();
  if (open) return;
  const { Planes } = await import("./viewer_planes.js");
  planes = new Planes(viewer, panes[0].facts, settings);
  try {
    await planes.open();
  } catch {
    planes?.close();
    planes = null;
    press(button("planes"), false);
    atRest(false);
    const note = viewer.querySelector("[data-no-planes]");
    note.hidden = false;
  }
}
