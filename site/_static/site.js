// Draws the diagrams in the colours of the page, and keeps the switch to the instructor's view.
const KEY = "channels-live-instructor";
const MERMAID = new URL("mermaid.min.js", document.currentScript.src).href;
const printing = location.search === "?print";

function isDark() {
  const theme = document.body.dataset.theme;
  return theme === "dark" ||
    (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
}

// It is large: only a page with a diagram loads it.
const load = (address) => new Promise((done, failed) => {
  const script = document.createElement("script");
  Object.assign(script, { src: address, onload: done, onerror: failed });
  document.head.append(script);
});

async function draw() {
  const theme = isDark() ? "dark" : "light";
  const sources = [...document.querySelectorAll("pre.mermaid")];
  if (sources.length && !window.mermaid) await load(MERMAID);
  window.mermaid?.initialize({
    startOnLoad: false, theme: theme === "dark" ? "dark" : "neutral",
    themeVariables: { edgeLabelBackground: theme === "dark" ? "#222" : "#fff" },
    flowchart: { useMaxWidth: false }, sequence: { useMaxWidth: false },
  });
  for (const [at, place] of sources.entries()) {
    place.source ??= place.textContent;
    const { svg } = await mermaid.render(`diagram-${at}`, place.source);
    place.innerHTML = svg;
    const drawn = place.firstElementChild; // shrinks, but stays readable
    drawn.style.maxWidth = `max(100%, ${0.75 * drawn.getBoundingClientRect().width}px)`;
    place.dataset.drawn = "";
  }
  reachable();
  window.diagramsDrawn = theme;
}

// Whoever has no mouse scrolls what is wider than the page with the arrow keys.
function reachable() {
  for (const place of document.querySelectorAll("pre, .table-wrapper")) {
    if (place.scrollWidth > place.clientWidth) place.tabIndex = 0;
  }
}

// What a screen reader needs, and the theme leaves out.
function name() {
  document.querySelectorAll(".caption[role=heading]").forEach((title) => (title.ariaLevel = 2));
  document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "All pages");
  document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");
}

function begin() {
  name();
  const button = document.querySelector(".instructor-switch button");
  const show = (on) => {
    document.documentElement.classList.toggle("instructor-view", on);
    button?.setAttribute("aria-pressed", on);
  };
  show(localStorage.getItem(KEY) === "on");
  if (button) button.hidden = false;
  button?.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    localStorage.setItem(KEY, on ? "on" : "off");
    show(on);
  });
  if (printing) document.querySelectorAll("details").forEach((fold) => (fold.open = true));
  let drawing = draw();
  const again = () => { drawing = drawing.then(draw); };
  let dark = isDark();
  const look = () => { if (isDark() !== dark) { dark = !dark; again(); } };
  new MutationObserver(look).observe(document.body, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
}

document.addEventListener("DOMContentLoaded", begin);
