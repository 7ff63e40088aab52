// A learner's own page. With a key behind the #, as a notebook prints it, it is the same learner.
import { element, openSocket } from "./socket.js";

const get = (id) => document.getElementById(id);
const hints = new Set();
let send, after = 0, raised = false;

let me = JSON.parse(sessionStorage.getItem("me") ?? "null");
const [code, key] = location.hash.slice(1).split("/").map(decodeURIComponent);
if (code && key) me = { code, key, name: "" };
history.replaceState(null, "", location.pathname);
if (me) come();

function come() {
  get("join").hidden = true;
  get("state").textContent = "Connecting …";
  let refused = "";
  send = openSocket("/ws/learner/", {
    opened: () => send({ do: "join", ...me, after }),
    received(data) {
      if (data.is === "joined") {
        me.name = "";
        sessionStorage.setItem("me", JSON.stringify(me));
        get("state").textContent = `You are ${data.name} on the board.`;
        get("in").hidden = false;
      }
      if (data.is === "error") get("state").textContent = refused = data.reason;
      if (data.is === "row") show(data);
      if (data.is === "hint") showHint(data);
      if (data.is === "left") forget(refused = "You have left. The board has forgotten you.");
    },
    lost(ended) {
      if (ended) forget(refused || "The board has closed this page for you.");
      else get("state").textContent = "The connection is lost. Trying again …";
    },
  });
}

function forget(why) {
  sessionStorage.removeItem("me");
  me = null;
  get("state").textContent = why;
  get("in").hidden = true;
  get("join").hidden = false;
}

function show(row) {
  raised = row.hand !== null;
  get("raise").textContent = raised ? "Lower my hand" : "Raise my hand";
  const text = !raised ? "" : row.attended ? "Somebody is on the way." : "☝ Your hand is up.";
  if (get("hand-state").textContent !== text) get("hand-state").textContent = text;
  const works = Object.entries(row.works).map(([exercise, work]) =>
    element("li", `${exercise}: ${work.state}, tries: ${work.tries}, hints: ${work.hints}. ${work.message}`));
  get("works").replaceChildren(...(works.length ? works : [element("li", "Nothing but the name.")]));
}

function showHint({ number, exercise, text, name, content }) {
  after = Math.max(after, number);
  if (hints.has(number)) return;
  hints.add(number);
  const item = element("li");
  item.append(element("strong", `${exercise}: `), element("span", text));
  if (name) item.append(element("p", name), element("pre", content, { tabindex: "0", "aria-label": name }));
  get("hints").prepend(item);
}

function showCell() {
  const [code, name] = ["code", "name"].map((id) => JSON.stringify(get(id).value));
  get("cell").textContent = `from channels_live import join_class
join_class(${JSON.stringify(location.origin)}, ${code}, name=${name})`;
}
get("join").oninput = showCell;
showCell();
get("join").onsubmit = (event) => {
  event.preventDefault();
  const bytes = crypto.getRandomValues(new Uint8Array(20));
  const key = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  me = { code: get("code").value, key, name: get("name").value };
  come();
};
get("hand").onsubmit = (event) => {
  event.preventDefault();
  send({ do: "hand", up: !raised, why: raised ? "" : get("why").value });
};
get("leave").onclick = () => send({ do: "leave" });
