// The board of an instructor, and the page for helpers: each shows the parts that it has.
import { element, openSocket } from "./socket.js";

const SIGNS = { "not attempted": "○", "not yet": "✎", right: "✓" };
const WORDS = { "not attempted": "begun", "not yet": "not yet", right: "right" };
const learners = new Map(); // number → row
let here = new Set(), role = "", ahead = 0; // seconds that the server's clock is ahead of ours
const get = (id) => document.getElementById(id);
const stuckAfter = () => Number(get("stuck").value) || 10;
const now = () => Date.now() / 1000 + ahead;
const minutes = (since, until) => Math.max(0, Math.floor(((until ?? now()) - since) / 60));
const parts = (exercise) => exercise.split(".").map(Number);
const inOrder = (a, b) => parts(a)[0] - parts(b)[0] || parts(a)[1] - parts(b)[1];
// by name: this is no ranking
const everybody = () => [...learners.values()].sort((a, b) => a.name.localeCompare(b.name));
const known = () => [...new Set(everybody().flatMap((row) => Object.keys(row.works)))].sort(inOrder);
const isStuck = (row, exercise, work) =>
  row.on === exercise && work.state !== "right" && minutes(work.since) >= stuckAfter();

const send = openSocket("/ws/screen/", {
  received(data) {
    if (data.is === "table") {
      learners.clear();
      for (const row of data.rows) learners.set(row.id, row);
      role = data.role;
      ahead = data.now - Date.now() / 1000;
    }
    for (const row of data.is === "rows" ? data.rows : []) {
      if (row.gone) learners.delete(row.id);
      else if (!(learners.get(row.id)?.version > row.version)) learners.set(row.id, row);
    }
    if (data.is === "here") here = new Set(data.learners);
    if (data.is === "pushed") tell(data.learners
      ? `Sent. On ${data.exercise} and not right: ${data.learners}.`
      : `Nobody has got it: nobody is on ${data.exercise} now, and not right. ▸ shows where each is.`);
    if (data.is === "error") tell(data.reason);
    else draw();
  },
  lost(ended) {
    get("state").textContent = ended ? "Log in again." : "The connection is lost. Trying again …";
  },
});

function tell(text) {
  (get("push-state") ?? get("state")).textContent = text;
}

let waiting = false;
function draw() {
  if (waiting) return; // a burst is drawn once
  waiting = true;
  setTimeout(() => {
    waiting = false;
    const present = everybody().filter((row) => here.has(row.id)).length;
    const text = `${learners.size} ${learners.size === 1 ? "has" : "have"} joined, ${present} ${present === 1 ? "is" : "are"} here.`;
    if (get("state").textContent !== text) get("state").textContent = text;
    drawHands();
    if (get("table")) drawTable();
    if (get("long")) drawLong();
  }, 50);
}

function keepFocus(list, change) {
  const key = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  change();
  if (key) list.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

function drawHands() {
  const raised = everybody().filter((row) => row.hand !== null).sort((a, b) => a.hand - b.hand);
  const items = raised.map((row) => {
    const item = element("li");
    item.append(element("strong", `☝ ${row.name}`));
    const on = row.on ? ` · on ${row.on}` : "";
    item.append(element("span", `${on} · ${minutes(row.hand)} min${row.why ? ` · “${row.why}”` : ""}`));
    item.append(button(row.attended ? "Somebody is on the way" : "I am on my way", `go-${row.id}`,
      () => send({ do: "attend", learner: row.id, going: !row.attended }),
      { "aria-pressed": String(row.attended) }));
    item.append(button("Lower", `lower-${row.id}`, () => send({ do: "lower", learner: row.id })));
    return item;
  });
  if (!items.length) items.push(element("li", "None.", { class: "none" }));
  keepFocus(get("hands"), () => get("hands").replaceChildren(...items));
}

function drawLong() {
  const stuck = everybody().flatMap((row) =>
    Object.entries(row.works).filter(([exercise, work]) => isStuck(row, exercise, work))
      .map(([exercise, work]) => ({ row, exercise, work })));
  const items = stuck.map(({ row, exercise, work }) => {
    const item = element("li");
    item.append(element("strong", `⚑ ${row.name}`), element("span", ` · ${exercise} · ${told(work)}`));
    return item;
  });
  if (!items.length) items.push(element("li", "Nobody.", { class: "none" }));
  get("long").replaceChildren(...items);
}

function told(work) {
  const count = (number, one, many) => (number ? `${number} ${number === 1 ? one : many}` : "");
  const time = `${minutes(work.since, work.until)} min`;
  return [time, count(work.tries, "try", "tries"), count(work.hints, "hint", "hints")]
    .filter(Boolean).join(" · ");
}

function drawTable() {
  const all = known();
  renew(get("lesson"), [["", "all"], ...[...new Set(all.map((name) => name.split(".")[0]))].map((n) => [n, n])]);
  const on = (name) => everybody().filter((row) => row.on === name && row.works[name]?.state !== "right").length;
  const targets = all.map((name) => [name, `${name} · now on it: ${on(name)}`]);
  renew(get("push-exercise"), targets.length ? targets : [["", "nobody has begun one"]]);
  const chosen = all.filter((name) => !get("lesson").value || name.split(".")[0] === get("lesson").value);
  const head = element("tr");
  head.append(element("th", "Learner", { scope: "col" }));
  for (const exercise of chosen) head.append(element("th", exercise, { scope: "col" }));
  const rows = everybody().map((row) => {
    const line = element("tr");
    const name = element("th", row.name, { scope: "row" });
    const hand = row.hand === null ? "" : " · ☝ hand up";
    name.append(element("small", (here.has(row.id) ? "● here" : "○ away") + hand));
    line.append(name);
    for (const exercise of chosen) line.append(cell(row, exercise));
    return line;
  });
  const foot = element("tr");
  foot.append(element("th", "Right", { scope: "row" }));
  for (const exercise of chosen) {
    const works = everybody().map((row) => row.works[exercise]).filter(Boolean);
    foot.append(element("td", `${works.filter((work) => work.state === "right").length} of ${works.length}`));
  }
  const table = get("table");
  table.hidden = !learners.size;
  get("nobody").hidden = learners.size > 0;
  keepFocus(table, () => {
    table.tHead.replaceChildren(head);
    table.tBodies[0].replaceChildren(...rows);
    table.tFoot.replaceChildren(foot);
  });
}

function cell(row, exercise) {
  const work = row.works[exercise], made = element("td");
  if (!work) {
    made.append(element("span", "·", { "aria-hidden": "true" }), element("span", "not attempted", { class: "hidden" }));
    return made;
  }
  const on = row.on === exercise, stuck = isStuck(row, exercise, work);
  made.className = [`is-${work.state.replace(" ", "-")}`, stuck && "is-stuck", on && "is-on"].filter(Boolean).join(" ");
  const open = button("", `${row.id}-${exercise}`, () => showDetails(row.id, exercise));
  const sign = `${on ? "▸ " : ""}${stuck ? "⚑ " : ""}${SIGNS[work.state]} ${WORDS[work.state]}`;
  open.append(element("span", sign), element("small", told(work)));
  made.append(open);
  return made;
}

function showDetails(id, exercise) {
  const row = learners.get(id), work = row?.works[exercise];
  if (!work) return;
  get("details-title").textContent = `${row.name} · ${exercise}`;
  const rows = { State: WORDS[work.state], Time: `${minutes(work.since, work.until)} minutes`, Tries: work.tries, Hints: work.hints };
  get("details").querySelector("dl").replaceChildren(
    ...Object.entries(rows).flatMap(([name, value]) => [element("dt", name), element("dd", String(value))]));
  get("details-message").textContent = work.message || "No message.";
  get("details").showModal();
}

function button(text, key, act, attributes = {}) {
  const made = element("button", text, { type: "button", "data-key": key, ...attributes });
  made.onclick = act;
  return made;
}

function renew(select, options) {
  const value = select.value, wanted = JSON.stringify(options);
  if (select.dataset.options === wanted) return;
  select.dataset.options = wanted;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  if (options.some(([known]) => known === value)) select.value = value;
}

get("choices").onsubmit = (event) => event.preventDefault();
get("choices").oninput = draw;
setInterval(draw, 15000); // minutes pass
if (get("push")) {
  get("push").onsubmit = async (event) => {
    event.preventDefault();
    const [file] = get("push-file").files;
    if (file && file.size > 100000) return tell("The file is larger than 100 kB.");
    let content = "";
    try {
      if (file) content = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    } catch {
      return tell("That is no file of text.");
    }
    const push = { do: "push", exercise: get("push-exercise").value, text: get("push-text").value, name: file?.name ?? "", content };
    if (send(push)) get("push").reset();
    else tell("The connection is lost. Send it again when it is back.");
  };
}
