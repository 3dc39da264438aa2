// What pages do beyond links and forms: keys, refreshing, copying, and telling the server the time zone.
// Everything works without it.
"use strict";

const remember = (name, value) => {
  document.cookie = `${name}=${encodeURIComponent(value)}; path=/console; max-age=31536000; samesite=lax`;
};

// The browser's time zone, unless a person chose another one.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !/(^|; )browser_zone=/.test(document.cookie)) {
  remember("browser_zone", zone);
  if (document.querySelector("[data-zoned]")) location.reload();
} else if (zone) {
  remember("browser_zone", zone);
}

// Refreshing: parts of a page that change say so, and a person can pause it.
const live = document.getElementById("live");
const isPaused = () => localStorage.getItem("paused") === "yes";
if (live) {
  live.hidden = false;
  const show = () => {
    live.setAttribute("aria-pressed", String(isPaused()));
    live.textContent = isPaused() ? "Refreshing is paused: resume" : "Pause refreshing";
  };
  live.addEventListener("click", () => {
    localStorage.setItem("paused", isPaused() ? "no" : "yes");
    show();
  });
  show();
  setInterval(() => {
    if (isPaused() || document.hidden || document.querySelector("dialog[open]")) return;
    for (const part of document.querySelectorAll("[hx-trigger=refresh]")) {
      if (!part.contains(document.activeElement)) htmx.trigger(part, "refresh");
    }
  }, 3000);
}

// Copying what stands in an element.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent);
  button.textContent = "Copied";
});

// Keys.
const rows = () => [...document.querySelectorAll("tr[data-href]")];
let chosen = -1;
const choose = (next) => {
  const all = rows();
  if (!all.length) return;
  all[chosen]?.classList.remove("chosen");
  chosen = Math.max(0, Math.min(all.length - 1, next));
  all[chosen].classList.add("chosen");
  all[chosen].querySelector("a").focus();
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const box = document.querySelector("input[type=search]");
  switch (event.key) {
    case "/":
      if (box) { box.focus(); box.select(); } else { location.href = "/console/flows"; }
      event.preventDefault();
      break;
    case "j": choose(chosen + 1); break;
    case "k": choose(chosen - 1); break;
    case "?": document.getElementById("keys")?.showModal(); break;
  }
});
