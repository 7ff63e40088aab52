// A page of the learner's site: the real one, brought here by Jupyter's server (proxy.py).
import { button, element } from "./elements.js";

export class SitePage {
  // elsewhere: another window shows it. showHere: asks for it
  constructor({ ServerConnection, PageConfig }, key, elsewhere, showHere) {
    Object.assign(this, { ServerConnection, PageConfig, key, elsewhere, prefix: null, wanted: true, gone: false, loading: true });
    this.at = element("span", "cl-State", { role: "status" });
    const bar = element("div", "cl-Bar");
    this.reload = button("Reload", () => this.load(this.path));
    this.here = button("Show it here", showHere);
    this.here.hidden = true;
    bar.append(this.reload, this.here, this.at);
    this.frame = element("iframe", "cl-Frame", {
      // the answers say the same, wherever they are opened: see proxy.py
      sandbox: "allow-downloads allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-scripts",
    });
    this.node = element("section", "cl-Panel", { "aria-label": "Page" });
    this.node.append(bar, this.frame);
    this.heard = (event) => this.hear(event);
    window.addEventListener("message", this.heard);
  }

  async open({ site, path, title, notebook, ready, fresh, running, visitor, static: files, roots }) {
    Object.assign(this, { site: site || this.site, end: running ? "" : "The server has ended.", todo: "Run the cell that starts it." });
    this.frame.title = `Page ${title}`;
    if (fresh) this.wanted = true;
    if (this.wanted) this.path = path;
    this.tell();
    // the visitor is kept by this name, also when the server is started again
    this.panel = `${notebook} ${this.key}`;
    if (!running) return this.sayEnded();
    if (!ready) return;
    const answer = await this.put({ site, visitor, static: files, roots });
    if (!answer.ok) {
      this.end = `This Jupyter server cannot bring ${site} here: channels_live is not installed there.`;
      this.todo = "";
      return this.tell();
    }
    const { prefix } = await answer.json();
    const moved = prefix !== this.prefix;
    this.prefix = prefix;
    if (this.wanted || this.gone || moved) this.load(this.path);
  }

  // one after the other, so that the last that is said holds
  put(said) {
    const settings = this.ServerConnection.makeSettings();
    const body = JSON.stringify({ panel: this.panel, ...said });
    const put = () => this.ServerConnection.makeRequest(
      `${settings.baseUrl}channels-live/pages`, { method: "PUT", body }, settings);
    this.said = (this.said ?? Promise.resolve()).then(put, put);
    return this.said;
  }

  // another server may take its port: what the page asks for is not for that one
  sayEnded() {
    if (this.prefix) this.put({ ended: true }).catch(() => {});
  }

  load(path) {
    if (!this.prefix || this.elsewhere) return;
    Object.assign(this, { wanted: false, gone: false, loading: true });
    this.frame.onload = () => this.loaded();
    this.frame.src = this.prefix + path;
    this.tell();
  }

  loaded() {
    this.loading = false;
    this.tell();
  }

  // One window shows it: in two it would be two visitors.
  setElsewhere(elsewhere) {
    if (elsewhere === this.elsewhere) return;
    this.elsewhere = elsewhere;
    if (elsewhere) this.frame.src = "about:blank";
    else this.load(this.path);
    this.tell();
  }

  ended(words, todo) {
    Object.assign(this, { end: words, todo });
    this.tell();
    this.sayEnded();
  }

  hear({ source, data }) {
    if (source !== this.frame.contentWindow || !data?.channelsLive) return;
    const { path, gone } = data.channelsLive;
    Object.assign(this, { path: String(path), gone: Boolean(gone) });
    this.loaded();
  }

  tell() {
    this.node.classList.toggle("cl-Ended", Boolean(this.end));
    const host = (this.site ?? "").replace(/^https?:\/\//, "");
    const text = this.end ? `■ ${this.end} ${this.todo}`
      : this.elsewhere ? "■ Another window shows this page."
        : `${this.loading ? "… loading" : "●"} ${host}${this.path}`;
    this.here.hidden = !this.elsewhere;
    this.reload.hidden = this.elsewhere;
    if (this.at.textContent !== text) this.at.textContent = text;
  }

  close() {
    window.removeEventListener("message", this.heard);
  }
}
