// Choosing rows of the worklist. Everything here also works row by row without this script.

const choices = () => [...document.querySelectorAll("input[name=case]")];
const chosen = () => choices().filter((one) => one.checked);
let last = "";

document.addEventListener("click", (event) => {
  if (event.target.matches("[data-choose-all]")) {
    for (const one of choices()) one.checked = event.target.checked;
  } else if (event.target.matches("input[name=case]")) {
    if (event.shiftKey) fill(event.target);
    last = event.target.value;
  } else return;
  show();
});

// From the row that was chosen last to this one, as the click has left it.
function fill(to) {
  const all = choices();
  const ends = [all.findIndex((one) => one.value === last), all.indexOf(to)];
  if (ends[0] < 0) return;
  for (const one of all.slice(Math.min(...ends), Math.max(...ends) + 1)) one.checked = to.checked;
}

function show() {
  const all = document.querySelector("[data-choose-all]");
  const words = document.querySelector(".acts-words");
  if (!all || !words) return;
  const count = chosen().length;
  all.hidden = false;
  all.checked = count > 0 && count === choices().length;
  all.indeterminate = count > 0 && !all.checked;
  words.textContent = `${words.dataset.chosen} ${count}`;
}

// Rows that somebody is choosing from stay as they are.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id === "live" && chosen().length) event.preventDefault();
});

document.addEventListener("htmx:afterSettle", (event) => {
  show();
  if (event.detail.requestConfig?.elt?.matches?.("[data-chip]")) document.getElementById("found")?.focus();
});
window.addEventListener("pageshow", show);
show();
