// Small manners of every page. Nothing here is needed for the pages to work.

const offline = document.getElementById("offline");
const ended = document.getElementById("ended");
const asking = new WeakSet();
const sure = new WeakSet();

// A page in the background, or one that somebody types in, does not refresh itself.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.closest("[data-live]") === event.target) event.preventDefault();
});

// Empty filters stay out of the address.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.matches("[data-filters]")) return;
  for (const [name, value] of [...event.detail.formData.entries()]) {
    if (value === "") event.detail.formData.delete(name);
  }
});

// Nothing new: what is shown stays.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status === 304) event.detail.shouldSwap = false;
});

document.addEventListener("htmx:sendError", () => { offline.hidden = false; });
document.addEventListener("htmx:responseError", () => { offline.hidden = false; });
document.addEventListener("htmx:afterOnLoad", () => { offline.hidden = true; });

// What somebody has typed at length is sent when somebody is there to take it: after the end of the session
// it would be lost, and in the name of whoever has signed in meanwhile it would be another's.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || sure.has(form) || !isTyped(form)) return;
  event.preventDefault();
  if (!asking.has(form)) sendIfSignedIn(form, event.submitter);
});
// A page that asks for its own news would be loaded anew.
document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (!event.detail.xhr.getResponseHeader("HX-Refresh") || ![...document.forms].some(isTyped)) return;
  event.preventDefault();
  ended.hidden = false;
});

function isTyped(form) {
  return [...form.querySelectorAll("textarea")].some((area) => area.value !== area.defaultValue);
}

async function sendIfSignedIn(form, submitter) {
  asking.add(form);
  try {
    const answer = await fetch(ended.dataset.session, { headers: { Accept: "application/json" } });
    const signedIn = answer.ok ? await answer.json() : null;
    ended.hidden = signedIn?.user === ended.dataset.user || (!signedIn && answer.status !== 401);
    if (!ended.hidden) return void (submitter ?? form).before(ended);
    if (signedIn) form.elements.csrfmiddlewaretoken.value = signedIn.token;
    sure.add(form);
    form.requestSubmit(submitter);
  } catch {
    offline.hidden = false;
  } finally {
    asking.delete(form);
    sure.delete(form);
  }
}

// A second click must not send a form twice; after a download the page is still there.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post" || event.submitter?.matches("[data-download]")) return;
  for (const button of event.target.querySelectorAll("button")) setTimeout(() => { button.disabled = true; });
});
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[method=post] button[disabled]")) button.disabled = false;
});

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.copied;
  });
}
