// Light or dark at once, without loading the page anew; the server remembers.

const root = document.documentElement;
const scheme = document.querySelector("meta[name=color-scheme]");
const dark = window.matchMedia("(prefers-color-scheme: dark)");

const now = () => (root.dataset.theme === "device" ? (dark.matches ? "dark" : "light") : root.dataset.theme);

function show(button) {
  const other = now() === "light" ? "dark" : "light";
  if (button.value === other) return;
  button.value = other;
  [button.textContent, button.dataset.other] = [button.dataset.other, button.textContent];
}

for (const button of document.querySelectorAll("[data-theme-button]")) {
  show(button);
  button.form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = new FormData(event.target, button);
    root.dataset.theme = button.value;
    scheme.content = button.value;
    show(button);
    document.dispatchEvent(new Event("portal:theme"));
    await fetch(event.target.action, { method: "POST", body, redirect: "manual" });
  });
}

// htmx changes the address without loading the page: lead back to where the reader is now.
document.addEventListener("submit", (event) => {
  const next = event.target.elements.namedItem("next");
  if (next && event.target.closest(".look")) next.value = location.pathname + location.search;
}, { capture: true });
