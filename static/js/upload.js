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
    element.querySelector("progress").setAttribute("aria-label", words("uploadOf", { name: file.name }));
    list.append(element);
    enqueue({ file, element });
  }
}

function enqueue(item) {
  say(item, words("waiting"));
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
    finish(item, "refused", words("tooLarge"));
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
    say(item, event.loaded < event.total ? words("sent", { share: Math.round(bar.value) }) : words("checking"));
  });
  request.addEventListener("load", () => answered(item, request));
  request.addEventListener("error", () => failed(item, words("broken")));
  request.addEventListener("abort", () => failed(item, words("stopped")));
  request.send(body);
}

function answered(item, request) {
  const answer = request.response;
  const result = answer?.results?.[0];
  if (result) finish(item, result.state, result.words, result.url);
  else if (request.status >= 500 || request.status === 401) failed(item, answer?.detail ?? words("notTaken"));
  else finish(item, "refused", answer?.detail ?? words("refused"));
}

function finish(item, state, sentence, url) {
  item.element.classList.add(`upload-${state}`);
  item.element.querySelector("progress").remove();
  item.element.querySelector("button").remove();
  say(item, sentence);
  if (url) item.element.append(link(url));
  counts[state] += 1;
  settle();
}

function failed(item, sentence) {
  const again = item.element.querySelector("button");
  item.element.classList.add("upload-refused");
  say(item, sentence);
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

// The form carries every sentence in the reader's language.
function words(name, values = {}) {
  return Object.entries(values).reduce((text, [key, value]) => text.replace(`{${key}}`, value), form.dataset[name]);
}

function say(item, sentence) {
  item.element.querySelector(".upload-words").textContent = sentence;
}

function link(url) {
  const element = document.createElement("a");
  element.href = url;
  element.textContent = words("open");
  return element;
}

function count() {
  const left = running + waiting.length;
  const parts = [];
  if (left) parts.push(words("toGo", { count: left }));
  if (counts.accepted) parts.push(words("countAccepted", { count: counts.accepted }));
  if (counts.already_there) parts.push(words("countAlreadyThere", { count: counts.already_there }));
  if (counts.refused) parts.push(words("countRefused", { count: counts.refused }));
  tally.textContent = parts.join(", ");
  afterwards.hidden = Boolean(left) || !(counts.accepted || counts.already_there);
}
