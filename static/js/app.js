// Everything the pages do beyond htmx. Each behaviour is opt-in by a data attribute and every page works without it.

const TOAST_MS = 6000;

/* Theme: the cookie lets the server send the right colours with the first byte. "system" removes it. */
function setTheme(theme) {
  const root = document.documentElement;
  if (theme === "system") {
    delete root.dataset.theme;
    document.cookie = "theme=; path=/; max-age=0; samesite=lax";
  } else {
    root.dataset.theme = theme;
    document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  }
  for (const button of document.querySelectorAll("button[name=theme][aria-pressed]")) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
}

function otherTheme() {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  return dark ? "light" : "dark";
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-theme-form]")) return;
  event.preventDefault();
  const chosen = event.submitter?.value ?? "toggle";
  setTheme(chosen === "toggle" ? otherTheme() : chosen);
});

/* Dialogs: <a href="/page" data-dialog="id"> opens the dialog where there is one, and is a link where there is not. */
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener && !event.metaKey && !event.ctrlKey && !event.shiftKey) {
    const dialog = document.getElementById(opener.dataset.dialog);
    if (dialog) {
      event.preventDefault();
      dialog.showModal();
      dialog.dispatchEvent(new CustomEvent("opened", { bubbles: true }));
    }
    return;
  }
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  if (event.target instanceof HTMLDialogElement && event.target.dataset.light !== undefined) {
    event.target.close();
  }
});

/* Copy buttons: data-copy names the element whose text is copied. */
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const label = button.querySelector("[data-label]") ?? button;
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
    label.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    label.textContent = "Press Ctrl+C";
  }
  setTimeout(() => { label.textContent = before; }, 1600);
});

/* Toasts leave after six seconds, later while the pointer or the focus is on them. */
function watchToast(toast) {
  let timer;
  const leave = () => {
    toast.classList.add("leaving");
    setTimeout(() => toast.remove(), 220);
  };
  const start = () => { timer = setTimeout(leave, TOAST_MS); };
  const stop = () => clearTimeout(timer);
  for (const type of ["pointerenter", "focusin"]) toast.addEventListener(type, stop);
  for (const type of ["pointerleave", "focusout"]) toast.addEventListener(type, start);
  toast.querySelector("[data-dismiss]")?.addEventListener("click", leave);
  start();
}

/* Keyboard: "/" goes to the page's search field. */
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable], dialog[open]")) return;
  const search = document.querySelector("input[type=search]");
  if (search) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});

/* Charts: one tip that says what the hovered day holds; the figures are also in the table beside the chart. */
function tip(plot) {
  const box = document.createElement("div");
  box.className = "chart-tip";
  box.hidden = true;
  box.setAttribute("aria-hidden", "true");
  plot.append(box);
  plot.addEventListener("pointermove", (event) => {
    const day = event.target.closest(".chart-day");
    box.hidden = !day;
    if (!day) return;
    box.textContent = day.dataset.tip;
    const around = plot.getBoundingClientRect();
    const beside = day.getBoundingClientRect();
    const left = beside.right - around.left + 8;
    const fits = left + box.offsetWidth < around.width;
    box.style.translate = `${fits ? left : beside.left - around.left - box.offsetWidth - 8}px 8px`;
  });
  plot.addEventListener("pointerleave", () => { box.hidden = true; });
}

/* Own amount: typing one unchecks the presets, choosing a preset clears it. */
document.addEventListener("input", (event) => {
  const own = event.target.closest("[data-own-amount]");
  const preset = event.target.closest(".preset input");
  const form = event.target.closest("form");
  if (own?.value) {
    for (const radio of form.querySelectorAll(".preset input:checked")) radio.checked = false;
  } else if (preset) {
    const field = form.querySelector("[data-own-amount]");
    if (field) field.value = "";
  }
});

/* A form that pays is sent once: the second click does nothing while the first is under way. */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "1";
  const says = form.querySelector("[type=submit][data-busy], [type=submit] [data-busy]");
  if (says) says.textContent = says.dataset.busy;
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-once]")) delete form.dataset.sent;
});

/* The strip on a phone starts at the current page. */
document.querySelector(".sidebar-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

function ready(root) {
  const within = (selector) => [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];
  for (const toast of within(".toast:not([data-watched])")) {
    toast.dataset.watched = "";
    watchToast(toast);
  }
  for (const plot of within(".chart-plot:not([data-watched])")) {
    plot.dataset.watched = "";
    tip(plot);
  }
  for (const dialog of within("dialog[data-open]")) dialog.showModal();
}

ready(document.documentElement);
document.addEventListener("htmx:load", (event) => ready(event.target));
document.addEventListener("htmx:sendError", () => {
  const toasts = document.getElementById("toasts");
  const template = document.getElementById("offline-toast");
  if (!toasts || !template) return;
  toasts.append(template.content.cloneNode(true));
  ready(toasts);
});

/* History: a row opens its story below it; the first time htmx fetches it. Without scripts the link is a page. */
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-story]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const cell = document.getElementById(link.dataset.story);
  if (!cell) return;
  event.preventDefault();
  const row = cell.parentElement;
  row.hidden = !row.hidden;
  link.setAttribute("aria-expanded", String(!row.hidden));
  if (!row.hidden && !cell.hasChildNodes()) link.dispatchEvent(new CustomEvent("story"));
});
