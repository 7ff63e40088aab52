// The conversation with a server, row by row, as it happens.
import { button, element } from "./elements.js";

const NEAR = 40; // pixels from the end that still count as the end
const DIRECTIONS = { in: ["→", "sent"], out: ["←", "got"], "": ["·", "in the server"] };
const COLORS = 6; // in stage.css
const NOTHING = "Nothing has happened yet."; // as a timeline says it

export class Conversation {
  // edit: opens a file at a line
  constructor(edit) {
    Object.assign(this, { edit, rows: [], drawn: [], leftOut: 0, paused: false, waiting: 0, follows: true });
    this.colors = new Map(); // client → its number
    this.state = element("span", "cl-State", { role: "status" });
    this.pause = button("Pause", () => this.setPaused(!this.paused), { "aria-pressed": "false" });
    this.choice = element("select", "cl-Button", { "aria-label": "Whose rows to show" });
    this.choice.append(new Option("all clients", ""));
    this.choice.onchange = () => this.filter();
    this.newest = button("To the newest ↓", () => this.toNewest());
    this.newest.classList.add("cl-Newest");
    this.newest.hidden = true;
    this.before = element("li", "cl-Before");
    this.before.textContent = NOTHING;
    this.list = element("ol", "cl-Rows", { "aria-label": "What happened", tabindex: "0" });
    this.list.append(this.before);
    this.list.onscroll = () => {
      this.follows = this.isAtEnd();
      this.newest.hidden = this.follows;
    };
    this.resized = new ResizeObserver(() => { if (this.follows) this.toNewest(); });
    this.resized.observe(this.list);
    this.list.onclick = ({ target }) => this.open_place(target.closest(".cl-Row"));
    const bar = element("div", "cl-Bar");
    bar.append(this.state, this.choice, this.pause);
    this.node = element("section", "cl-Panel", { "aria-label": "Conversation" });
    this.node.append(bar, this.list, this.newest);
  }

  open({ command, running, folder, of }) {
    Object.assign(this, { command, running, folder, of: of?.join(", ") });
    this.tell(running ? "" : "The server has ended. Run the cell that starts it.");
  }

  ended(words, todo) {
    this.running = false;
    this.tell(`${words} This is what happened until then. ${todo}`);
  }

  tell(end) {
    this.end = end;
    this.node.classList.toggle("cl-Ended", Boolean(end));
    const running = this.rows.filter((row) => row.running).length;
    const busy = running ? ` · ${running} still running` : "";
    const what = this.of ? ` (only ${this.of})` : "";
    const paused = this.paused ? ` · paused, ${this.waiting} new rows` : "";
    const text = end ? `■ ${end}` : `● ${this.command}${what}${busy}`;
    if (this.state.textContent !== text + paused) this.state.textContent = text + paused;
    this.state.title = this.command ?? "";
  }

  // Rows from one on are new or have changed; `gone` at the beginning are no longer kept.
  take({ rows, from, gone, left_out: leftOut, again }) {
    if (again) this.rows = [];
    this.rows.splice(0, gone);
    const old = this.rows.splice(from);
    for (const [number, row] of rows.entries()) {
      const same = old[number] && JSON.stringify(old[number]) === JSON.stringify(row);
      this.rows.push(same ? old[number] : row);
    }
    this.leftOut = leftOut;
    this.waiting += this.paused ? Math.max(0, rows.length - old.length) : 0;
    if (!this.paused) this.draw();
    this.tell(this.end);
  }

  draw() {
    const { follows } = this;
    // those that are gone stand first
    while (this.drawn.length && this.drawn[0].row !== this.rows[0]) this.drawn.shift().node.remove();
    let same = 0;
    while (same < this.drawn.length && this.drawn[same].row === this.rows[same]) same++;
    const fresh = document.createDocumentFragment();
    const replaced = this.drawn.splice(same);
    for (const row of this.rows.slice(same)) {
      const known = replaced.find((other) => other.row === row);
      const node = known?.node ?? this.draw_row(row);
      this.drawn.push({ row, node });
      fresh.append(node);
    }
    for (const { node } of replaced) if (node.parentNode === this.list) node.remove();
    this.list.append(fresh);
    this.before.hidden = !this.leftOut && this.rows.length > 0;
    const leftOut = this.leftOut?.toLocaleString("en");
    this.before.textContent = this.leftOut ? `${leftOut} earlier rows are no longer shown` : NOTHING;
    if (follows) this.toNewest();
    else this.newest.hidden = false;
  }

  draw_row(row) {
    const node = element("li", "cl-Row");
    const [arrow, words] = DIRECTIONS[row.direction];
    const client = element("span", "cl-Client");
    client.textContent = row.server ? `${row.client} · ${row.server}` : row.client;
    node.dataset.client = row.client;
    node.dataset.color = this.color_of(row.client);
    node.dataset.together = row.together;
    node.classList.toggle("cl-Failed", row.failed);
    node.hidden = this.choice.value !== "" && this.choice.value !== row.client;
    const sign = element("span", "cl-Arrow", { "aria-hidden": "true" });
    sign.textContent = arrow;
    const hint = element("span", "cl-Hidden");
    hint.textContent = `${words}: `;
    const text = element("code", "cl-Text");
    text.textContent = row.text;
    node.append(client, sign, hint, text);
    if (row.call) {
      const [file, line] = row.place ?? [];
      const call = element(row.place ? "button" : "span", "cl-Call");
      call.textContent = row.call;
      if (row.place) call.title = `Open ${file} at line ${line}`;
      node.append(call);
    }
    node.classList.toggle("cl-HasPlace", Boolean(row.place));
    for (const words of row.notes) node.append(note(row.failed ? `✗ ${words}` : words));
    if (row.running) node.append(note("… still running", "cl-Running"));
    return node;
  }

  color_of(client) {
    if (!this.colors.has(client)) {
      this.colors.set(client, this.colors.size % COLORS);
      this.choice.append(new Option(client, client));
      const longest = Math.max(...[...this.colors.keys(), client].map((name) => name.length));
      this.list.style.setProperty("--cl-name", `${Math.min(longest, 24)}ch`);
    }
    return this.colors.get(client);
  }

  open_place(node) {
    if (String(getSelection())) return; // somebody selects text
    const row = this.drawn.find((drawn) => drawn.node === node)?.row;
    if (row?.place) this.edit({ folder: this.folder, file: row.place[0], line: row.place[1] });
  }

  setPaused(paused) {
    Object.assign(this, { paused, waiting: 0 });
    this.pause.setAttribute("aria-pressed", String(paused));
    this.pause.textContent = paused ? "Go on" : "Pause";
    if (!paused) this.draw();
    this.tell(this.end);
  }

  filter() {
    const wanted = this.choice.value;
    for (const { row, node } of this.drawn) node.hidden = wanted !== "" && row.client !== wanted;
    this.toNewest();
  }

  isAtEnd() {
    return this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < NEAR;
  }

  toNewest() {
    this.follows = true;
    this.list.scrollTop = this.list.scrollHeight;
    this.newest.hidden = true;
    // until it has been in sight, a row counts as one line: once more, when the heights are known
    cancelAnimationFrame(this.settled);
    this.settled = requestAnimationFrame(() => {
      this.settled = requestAnimationFrame(() => {
        if (this.follows) this.list.scrollTop = this.list.scrollHeight;
      });
    });
  }

  close() {
    this.resized.disconnect();
    cancelAnimationFrame(this.settled);
  }
}

function note(words, name = "") {
  const node = element("span", `cl-Note ${name}`);
  node.textContent = words;
  return node;
}
