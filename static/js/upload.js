// Sends chosen or dropped files, three requests at a time, and says what became of each.
// The browser streams every file from the disk; none is read into memory.

import { bytesIn, chosen, dropped, parcels } from "./upload_files.js";
import { UploadList } from "./upload_list.js";

const AT_ONCE = 3;
const MEGABYTE = 2 ** 20;
const TRY_AGAIN = new Set([0, 401, 408, 429]);

const form = document.querySelector("[data-upload]");
const input = form.querySelector("input[type=file]");
const list = new UploadList(form);
const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
const most = {
  file: Number(form.dataset.maxMegabytes) * MEGABYTE,
  bytes: Number(form.dataset.maxTotalMegabytes) * MEGABYTE,
  files: Number(form.dataset.maxFiles),
};
const remembered = `files-to-go:${form.action}`;

const waiting = [];
const running = new Set();
let paused = "held" in form.dataset;
let looking = 0;
let depth = 0;

form.classList.add("enhanced");
list.part("plain").hidden = true;
input.required = false;
sayWhatWasLost();

input.addEventListener("change", takeChosen);
list.part("folder").hidden = false;
list.part("folder").addEventListener("click", chooseFolder);
form.addEventListener("submit", (event) => event.preventDefault());
list.part("pause").addEventListener("click", pause);
list.part("go").addEventListener("click", go);
list.part("stop").addEventListener("click", stop);
list.part("again").addEventListener("click", () => {
  list.list.focus();
  for (const parcel of new Set(list.items.filter((item) => item.state === "failed").map((item) => item.parcel))) again(parcel);
});

document.addEventListener("dragenter", (event) => { if (brings(event)) { depth += 1; hover(); } });
document.addEventListener("dragleave", (event) => { if (brings(event)) { depth = Math.max(0, depth - 1); hover(); } });
document.addEventListener("dragover", (event) => { if (brings(event)) event.preventDefault(); });
document.addEventListener("drop", (event) => {
  if (!brings(event)) return;
  event.preventDefault();
  depth = 0;
  hover();
  reveal();
  take(dropped(event.dataTransfer));
});
window.addEventListener("beforeunload", (event) => { if (underWay()) event.preventDefault(); });
window.addEventListener("pagehide", remember);
if (input.files.length) takeChosen(); // before this script was there

function takeChosen() {
  take(chosen(input.files));
  input.value = "";
}

function brings(event) {
  return event.dataTransfer?.types.includes("Files");
}

function hover() {
  document.body.classList.toggle("dropping", depth > 0);
}

function reveal() {
  if (!form.hidden) return;
  form.hidden = false;
  form.scrollIntoView();
  list.part("heading").focus();
}

function chooseFolder() {
  const folder = document.createElement("input");
  folder.type = "file";
  folder.webkitdirectory = true;
  folder.addEventListener("change", () => take(chosen(folder.files)));
  folder.click();
}

async function take(choice) {
  looking += 1;
  try {
    const { found, leftOut, unread } = await choice;
    const lists = await parcels(found, most);
    for (const items of lists) enqueue(accepted(items.map(itemOf)));
    list.note([leftOut && list.words("leftOut", { count: leftOut }), unread && list.words("unread", { count: unread })].filter(Boolean).join(" "));
    if (found.length) list.speak(list.words(paused && "held" in form.dataset ? "heldWords" : "begun", { count: found.length }));
  } finally {
    looking -= 1;
  }
  controls();
  next();
}

function itemOf({ file, folder, archive }) {
  const path = folder ? `${folder.replace(/^\//, "")}/${file.name}` : file.name;
  return { file, path, archive, state: "waiting", words: list.words("waiting"), share: 0, url: "" };
}

// Those that may be sent at all; the others are told why not.
function accepted(items) {
  list.add(items);
  const fit = items.filter((item) => item.file.size <= (item.archive ? most.bytes : most.file));
  for (const item of items) if (!fit.includes(item)) settle([item], "refused", list.words(item.archive ? "archiveTooLarge" : "tooLarge"));
  if (fit.length <= most.files && bytesIn(fit) <= most.bytes) return fit;
  settle(fit, "refused", list.words("tooMany"));
  return [];
}

function enqueue(items) {
  if (!items.length) return;
  const parcel = { items, request: null, sent: false };
  for (const item of items) Object.assign(item, { parcel, again: () => again(parcel) });
  waiting.push(parcel);
}

function again(parcel) {
  const items = parcel.items.filter((item) => item.state === "failed");
  for (const item of items) Object.assign(item, { state: "waiting", words: list.words("waiting"), share: 0 });
  list.touch(...items);
  enqueue(items);
  next();
}

function next() {
  while (!paused && running.size < AT_ONCE && waiting.length) send(waiting.shift());
  if (!underWay() && list.items.length) list.speak(list.tally());
}

function send(parcel) {
  const request = new XMLHttpRequest();
  parcel.request = request;
  running.add(parcel);
  for (const item of parcel.items) item.state = "sending";
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.addEventListener("progress", (event) => progressed(parcel, event));
  request.addEventListener("load", () => answered(parcel));
  request.addEventListener("error", () => failed(parcel, list.words(parcel.sent ? "brokenLate" : "broken")));
  request.addEventListener("abort", () => failed(parcel, list.words(parcel.sent ? "stoppedLate" : "stopped")));
  request.send(bodyOf(parcel));
}

function bodyOf(parcel) {
  const body = new FormData();
  body.append("csrfmiddlewaretoken", token);
  body.append("identity", form.elements.identity.value);
  for (const item of parcel.items) body.append("file", item.file);
  return body;
}

// The files lie one behind another in the request.
function progressed(parcel, event) {
  if (!event.lengthComputable) return;
  parcel.sent = event.loaded >= event.total;
  let left = (event.loaded / event.total) * bytesIn(parcel.items);
  for (const item of parcel.items) {
    if (item.share < 1 || parcel.sent) {
      item.share = Math.min(1, left / Math.max(1, item.file.size));
      item.words = parcel.sent ? list.words("checking") : list.words("sent", { share: Math.round(item.share * 100) });
    }
    left = Math.max(0, left - item.file.size);
  }
  list.touch(...parcel.items);
}

function answered(parcel) {
  const { response, status } = parcel.request;
  const results = response?.results;
  if (results?.length === parcel.items.length) {
    parcel.items.forEach((item, index) => settle([item], results[index].state, results[index].words, results[index].url));
    arrived(results);
    finish(parcel);
  } else if (status >= 500 || TRY_AGAIN.has(status)) {
    failed(parcel, response?.detail ?? list.words("notTaken"));
  } else {
    settle(parcel.items, "refused", response?.detail ?? list.words("refused"));
    finish(parcel);
  }
}

function arrived(results) {
  const files = new Map();
  for (const result of results) if (result.state === "accepted" || result.state === "partly") files.set(result.url, [...(files.get(result.url) ?? []), result.name]);
  for (const [url, names] of files) list.arrived(url, names[0], names.length);
}

function failed(parcel, sentence) {
  settle(parcel.items, "failed", sentence);
  finish(parcel);
}

function settle(items, state, sentence, url = "") {
  for (const item of items) Object.assign(item, { state, url, words: sentence });
  list.touch(...items);
}

function finish(parcel) {
  running.delete(parcel);
  next();
}

function pause() {
  paused = true;
  list.speak(list.words("paused"));
  list.note(list.words("paused"));
  controls();
  list.part("go").focus();
}

function go() {
  paused = false;
  list.note("");
  controls();
  list.part("pause").focus();
  next();
}

function stop() {
  list.part("tally").focus();
  for (const parcel of waiting.splice(0)) settle(parcel.items, "failed", list.words("stopped"));
  for (const parcel of [...running]) parcel.request.abort();
  next();
}

function controls() {
  list.part("pause").hidden = paused;
  list.part("go").hidden = !paused;
  if (paused && "held" in form.dataset && waiting.length) list.note(list.words("heldWords"));
}

function underWay() {
  return Boolean(looking || running.size || waiting.length);
}

// Only how many: a file's name may be a patient's, and the next person may use this window.
function remember() {
  const left = [...running, ...waiting].reduce((sum, parcel) => sum + parcel.items.length, 0);
  if (left) sessionStorage.setItem(remembered, String(left));
}

function sayWhatWasLost() {
  const left = sessionStorage.getItem(remembered);
  if (!left) return;
  sessionStorage.removeItem(remembered);
  const note = list.part("lost-note");
  note.textContent = list.words("lost", { count: left });
  note.hidden = false;
  form.hidden = false;
}
