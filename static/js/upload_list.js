// What the page shows of an upload: few rows however many files, one bar and one line for all of them.

const ROWS_AT_FIRST = 20;
const ROWS_MORE = 100;
const ROWS_OF_TROUBLE = 200;
const DRAWN_EVERY_MS = 100;

export class UploadList {
  constructor(form) {
    this.form = form;
    this.row = document.getElementById("upload-row");
    this.list = this.part("list");
    this.total = this.part("total");
    this.more = this.part("show-more");
    this.items = [];
    this.rows = new Map();
    this.troubled = 0;
    this.changed = new Set();
    this.drawing = 0;
    this.more.addEventListener("click", () => this.showMore());
  }

  part(name) {
    return this.form.querySelector(`[data-${name}]`);
  }

  // The form carries every sentence in the reader's language.
  words(name, values = {}) {
    return Object.entries(values).reduce((text, [key, value]) => text.replace(`{${key}}`, () => value), this.form.dataset[name]);
  }

  add(items) {
    for (const item of items) {
      this.items.push(item);
      if (this.rows.size < ROWS_AT_FIRST) this.show(item);
    }
    this.touch();
  }

  // Say again what is known of an item.
  touch(...items) {
    for (const item of items) {
      if (isTrouble(item) && !this.rows.has(item) && this.troubled < ROWS_OF_TROUBLE) {
        this.troubled += 1;
        this.show(item);
      }
      this.changed.add(item);
    }
    this.drawing ||= setTimeout(() => this.draw(), DRAWN_EVERY_MS);
  }

  draw() {
    this.drawing = 0;
    for (const item of this.changed) if (this.rows.has(item)) this.fill(item, this.rows.get(item));
    this.changed.clear();
    const counts = this.counts();
    this.part("tally").textContent = this.tally(counts);
    this.total.max = Math.max(1, this.items.reduce((sum, item) => sum + item.file.size, 0));
    this.total.value = this.items.reduce((sum, item) => sum + sentOf(item), 0);
    this.part("whole").hidden = !counts.going;
    this.part("again").hidden = !counts.failed;
    const hidden = this.items.length - this.rows.size;
    this.more.hidden = !hidden;
    this.more.textContent = this.words("more", { count: hidden });
    const afterwards = this.part("afterwards");
    if (afterwards) afterwards.hidden = Boolean(counts.going) || !(counts.accepted || counts.partly || counts.already_there);
  }

  counts() {
    const counts = { going: 0, accepted: 0, already_there: 0, partly: 0, refused: 0, failed: 0 };
    for (const item of this.items) counts[item.state in counts ? item.state : "going"] += 1;
    return counts;
  }

  tally(counts = this.counts()) {
    const said = { going: "toGo", accepted: "countAccepted", already_there: "countAlreadyThere", partly: "countPartly", refused: "countRefused", failed: "countFailed" };
    return Object.entries(said).filter(([state]) => counts[state]).map(([state, name]) => this.words(name, { count: counts[state] })).join(", ");
  }

  // For those who listen: when an upload begins, stops and ends, not for every file.
  speak(sentence) {
    this.part("spoken").textContent = sentence;
  }

  note(sentence) {
    const note = this.part("note");
    note.textContent = sentence;
    note.hidden = !sentence;
  }

  arrived(url, name, count) {
    const section = this.part("arrived");
    let link = section.querySelector(`a[href="${CSS.escape(url)}"]`);
    if (!link) {
      const entry = document.createElement("li");
      const files = document.createElement("span");
      link = document.createElement("a");
      link.href = url;
      link.textContent = name;
      files.className = "muted";
      files.textContent = this.words("scanFiles", { count });
      entry.append(link, " ", files);
      section.querySelector("ul").prepend(entry);
    }
    section.hidden = false;
  }

  show(item) {
    const element = this.row.content.firstElementChild.cloneNode(true);
    element.querySelector(".file-name").textContent = item.path;
    element.querySelector("progress").setAttribute("aria-label", this.words("uploadOf", { name: item.path }));
    element.querySelector("button").addEventListener("click", () => {
      this.list.focus();
      item.again();
    });
    this.rows.set(item, element);
    this.list.append(element);
    this.fill(item, element);
  }

  showMore() {
    const rest = this.items.filter((item) => !this.rows.has(item)).slice(0, ROWS_MORE);
    for (const item of rest) this.show(item);
    this.list.focus();
    this.draw();
  }

  fill(item, element) {
    element.className = `upload-row upload-${item.state === "failed" ? "refused" : item.state}`;
    element.querySelector("button").hidden = item.state !== "failed";
    element.querySelector(".upload-words").textContent = item.words;
    const bar = element.querySelector("progress");
    if (isGoing(item)) Object.assign(bar, { hidden: false, value: item.share * 100 });
    else if (item.state === "failed") bar.hidden = true;
    else bar?.remove();
    if (item.url && !element.querySelector("a")) element.append(this.link(item));
  }

  link(item) {
    const element = document.createElement("a");
    element.href = item.url;
    element.textContent = this.words(item.state === "already_there" ? "openScan" : "open");
    return element;
  }
}

function isGoing(item) {
  return item.state === "waiting" || item.state === "sending";
}

function isTrouble(item) {
  return item.state === "refused" || item.state === "partly" || item.state === "failed";
}

function sentOf(item) {
  return item.file.size * (isGoing(item) ? item.share : 1);
}
