// Uploads each chosen or dropped file on its own, three at a time, and says what became of it.

const AT_ONCE = 3;
const form = document.querySelector("[data-upload]");
const input = form.querySelector("input[type=file]");
const drop = form.querySelector(".drop");
const list = form.querySelector("[data-list]");
const tally = form.querySelector("[data-tally]");
const afterwards = form.querySelector("[data-afterwards]");
const row = document.getElementById("upload-row");
const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
const maxMegabytes = Number(form.dataset.maxMegabytes);

const waiting = [];
const counts = { accepted: 0, already_there: 0, refused: 0 };
let running = 0;

form.classList.add("enhanced");
form.querySelector("[data-plain]").hidden = true;
input.required = false;

input.addEventListener("change", () => { add(input.files); input.value = ""; });
form.addEventListener("submit", (event) => event.preventDefault());

let depth = 0;
document.addEventListener("dragenter", (event) => { event.preventDefault(); depth += 1; drop.classList.add("drop-over"); });
document.addEventListener("dragleave", () => { depth -= 1; if (depth <= 0) leave(); });
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => { event.preventDefault(); leave(); add(event.dataTransfer.files); });

window.addEventListener("beforeunload", (event) => { if (running || waiting.length) event.preventDefault(); });

function leave() {
  depth = 0;
  drop.classList.remove("drop-over");
}

function add(files) {
  for (const file of files) {
    const element = row.content.firstElementChild.cloneNode(true);
    element.querySelector(".file-name").textContent = file.name;
    element.querySelector("progress").setAttribute("aria-label", `Upload of ${file.name}`);
    list.append(element);
    enqueue({ file, element });
  }
}

function enqueue(item) {
  say(item, "Waiting");
  waiting.push(item);
  next();
}

function next() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    send(waiting.shift());
  }
  count();
}

function send(item) {
  if (item.file.size > maxMegabytes * 2 ** 20) {
    finish(item, "refused", `The file is larger than the ${maxMegabytes} MB taken.`);
    return;
  }
  const body = new FormData();
  body.append("csrfmiddlewaretoken", token);
  body.append("file", item.file);
  const request = new XMLHttpRequest();
  request.open("POST", form.action || window.location.href);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  const bar = item.element.querySelector("progress");
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    bar.value = (100 * event.loaded) / event.total;
    say(item, event.loaded < event.total ? `${Math.round(bar.value)} %` : "Being checked");
  });
  request.addEventListener("load", () => answered(item, request));
  request.addEventListener("error", () => failed(item, "The connection broke."));
  request.addEventListener("abort", () => failed(item, "The upload was stopped."));
  request.send(body);
}

function answered(item, request) {
  const answer = request.response;
  const result = answer?.results?.[0];
  if (result) finish(item, result.state, result.words, result.url);
  else if (request.status >= 500 || request.status === 401) failed(item, answer?.detail ?? "The server could not take it.");
  else finish(item, "refused", answer?.detail ?? "The server refused it.");
}

function finish(item, state, words, url) {
  item.element.classList.add(`upload-${state}`);
  item.element.querySelector("progress").remove();
  item.element.querySelector("button").remove();
  say(item, words);
  if (url) item.element.append(link(url));
  counts[state] += 1;
  settle();
}

function failed(item, words) {
  const again = item.element.querySelector("button");
  item.element.classList.add("upload-refused");
  say(item, `${words} Nothing was stored.`);
  again.hidden = false;
  again.addEventListener("click", () => {
    again.hidden = true;
    item.element.classList.remove("upload-refused");
    enqueue(item);
  }, { once: true });
  settle();
}

function settle() {
  running -= 1;
  next();
}

function say(item, words) {
  item.element.querySelector(".upload-words").textContent = words;
}

function link(url) {
  const element = document.createElement("a");
  element.href = url;
  element.textContent = "Open";
  return element;
}

function count() {
  const left = running + waiting.length;
  const parts = [];
  if (left) parts.push(`${left} to go`);
  if (counts.accepted) parts.push(`${counts.accepted} accepted`);
  if (counts.already_there) parts.push(`${counts.already_there} already there`);
  if (counts.refused) parts.push(`${counts.refused} refused`);
  tally.textContent = parts.join(", ");
  afterwards.hidden = Boolean(left) || !(counts.accepted || counts.already_there);
}
