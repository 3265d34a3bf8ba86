// Keys. An element says in `data-key` which key presses it: "t", "/" or a sequence such as "g w"; links
// and buttons are pressed, fields and what is marked `data-key-focus` get the focus. Of several with one key
// the first in view counts, otherwise the first; switches with one key go together. Links marked `data-row`
// are the rows for j, k and arrows; from the search, down leads to them.
// A field, a dialog or a key with Ctrl, Alt or Meta is never touched.

const SEQUENCE_MS = 1200;
const dialog = document.getElementById("keys");
const list = dialog.querySelector("[data-keys-list]");
const opener = document.querySelector("[data-keys-open]");
const singleKeys = document.body.dataset.singleKeys !== "off";
const TYPED_INTO = "input:not([type=checkbox], [type=radio], [type=button], [type=submit], [type=range]), select, textarea, [contenteditable]";

let begun = "";
let forgetting = 0;

opener.hidden = false;
opener.addEventListener("click", open);
document.addEventListener("keydown", pressed);

function pressed(event) {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (document.querySelector("dialog[open]") || (event.target.closest(TYPED_INTO) && !leftSearch(event))) return;
  if (moved(event) || !singleKeys || event.key.length !== 1) return;
  const keys = begun ? `${begun} ${event.key}` : event.key;
  const named = shown().filter((one) => one.dataset.key === keys);
  forget();
  if (named.length) {
    event.preventDefault();
    press(named.find(inView) ?? named[0], named);
  } else if (shown().some((one) => one.dataset.key.startsWith(`${event.key} `))) {
    begun = event.key;
    forgetting = setTimeout(forget, SEQUENCE_MS);
  }
}

function forget() {
  clearTimeout(forgetting);
  begun = "";
}

function shown() {
  return [...document.querySelectorAll("[data-key]")].filter((one) => one.checkVisibility({ visibilityProperty: true }));
}

// Its middle is neither outside the window nor under the header, which stays.
function inView(element) {
  const { left, top, width, height } = element.getBoundingClientRect();
  return element.contains(document.elementFromPoint(left + width / 2, top + height / 2));
}

function leftSearch(event) {
  return event.key === "ArrowDown" && event.target.matches("[role=search] input");
}

function press(element, named) {
  if (element.matches(TYPED_INTO) || "keyFocus" in element.dataset) {
    element.focus();
    element.select?.();
    return;
  }
  element.click();
  if (element.type !== "checkbox") return;
  for (const other of named) if (other.checked !== element.checked) other.click();
}

// Rows: the arrows only when a row has the focus, so that the page still scrolls with them.
function moved(event) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const at = rows.indexOf(document.activeElement);
  const step = { j: singleKeys && 1, k: singleKeys && -1, ArrowDown: (at >= 0 || leftSearch(event)) && 1, ArrowUp: at >= 0 && -1 }[event.key];
  if (!rows.length || !step || event.shiftKey || begun) return false;
  event.preventDefault();
  const next = rows[at < 0 ? 0 : Math.min(Math.max(at + step, 0), rows.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}

function open() {
  const first = new Map(shown().reverse().map((one) => [one.dataset.key, one]));
  const ordered = shown().filter((one) => first.get(one.dataset.key) === one);
  list.replaceChildren(...rowKeys(), ...ordered.map((one) => line(one.dataset.key, words(one))));
  dialog.showModal();
  dialog.scrollTop = 0; // the focus goes to the button at the end
}

function rowKeys() {
  if (!document.querySelector("[data-row]")) return [];
  const { next, previous, open: opens } = dialog.dataset;
  return [line("j", next), line("k", previous), line("Enter", opens)];
}

function words(element) {
  return element.dataset.keyWords || element.getAttribute("aria-label") || element.labels?.[0]?.textContent || element.textContent;
}

function line(keys, text) {
  const row = document.createElement("tr");
  const [left, right] = [document.createElement("th"), document.createElement("td")];
  left.scope = "row";
  for (const key of keys.split(" ")) {
    const cap = document.createElement("kbd");
    cap.textContent = key;
    left.append(cap, " ");
  }
  right.textContent = text.trim();
  row.append(left, right);
  return row;
}
