// The stage: for each notebook, the panels beside it. What they show comes from its kernel, over a
// comm that channels_live/stage/stage.py opens; see there for the messages.
import { Conversation } from "./conversation.js";
import { SitePage } from "./page.js";

const TARGET = "channels-live";
const MEDIA_TYPE = "application/vnd.channels-live+json";

export async function plugin(library) {
  const [{ INotebookTracker }, { IRenderMimeRegistry }, { Widget }, { ServerConnection }, { PageConfig }] =
    await Promise.all(
      ["@jupyterlab/notebook", "@jupyterlab/rendermime", "@lumino/widgets",
        "@jupyterlab/services", "@jupyterlab/coreutils"].map(library));
  const lab = { Widget, ServerConnection, PageConfig };

  return {
    id: "channels-live:stage",
    description: "Shows a site's pages and the conversation with its server beside a notebook.",
    autoStart: true,
    requires: [INotebookTracker, IRenderMimeRegistry],
    activate(app, tracker, renderers) {
      const style = document.createElement("link");
      Object.assign(style, { rel: "stylesheet", href: new URL("stage.css", import.meta.url) });
      document.head.append(style);

      const stages = new Map(); // notebook → its stage
      const follow = (notebook) => {
        stages.set(notebook, new Stage({ ...lab, app }, notebook));
        notebook.disposed.connect(() => {
          stages.get(notebook).close();
          stages.delete(notebook);
        });
      };
      tracker.forEach(follow);
      tracker.widgetAdded.connect((_, notebook) => follow(notebook));
      const stageOf = (node) =>
        [...stages].find(([notebook]) => notebook.node.contains(node))?.[1];
      renderers.addFactory({
        safe: true,
        mimeTypes: [MEDIA_TYPE],
        defaultRank: 30,
        createRenderer: () => output(Widget, stageOf),
      });
    },
  };
}

// What stands in the notebook: a line of text, and a button that brings the panels back.
function output(Widget, stageOf) {
  const widget = new Widget();
  widget.addClass("cl-Output");
  widget.renderModel = async (model) => {
    const button = document.createElement("button");
    Object.assign(button, { textContent: "Show", className: "cl-Button", type: "button" });
    const state = document.createElement("span");
    state.setAttribute("role", "status");
    button.onclick = () => {
      const shown = stageOf(widget.node)?.show(model.data[MEDIA_TYPE].panels);
      state.textContent = shown ? "" : "Run this cell first, and the cells above it.";
    };
    const { what } = model.data[MEDIA_TYPE];
    widget.node.replaceChildren(`${what} shown beside this notebook. `, button, " ", state);
  };
  return widget;
}

class Stage {
  constructor(lab, notebook) {
    Object.assign(this, { lab, notebook, comm: null, panels: new Map() });
    const { sessionContext } = notebook;
    sessionContext.ready.then(() => this.listen(sessionContext.session?.kernel));
    sessionContext.kernelChanged.connect((_, { newValue }) => this.listen(newValue));
    sessionContext.statusChanged.connect((_, status) => {
      if (["restarting", "autorestarting", "terminating", "dead"].includes(status)) this.leave();
    });
  }

  // Take the comm that a kernel opens, or, when the page was loaded anew, has opened before.
  async listen(kernel) {
    if (kernel === this.kernel) return;
    this.leave();
    this.kernel = kernel;
    if (!kernel) return;
    kernel.registerCommTarget(TARGET, (comm, opened) => {
      this.root = opened.content.data.notebook;
      this.take(comm);
    });
    const { content } = await kernel.requestCommInfo({ target_name: TARGET });
    for (const id of Object.keys(content.comms ?? {})) {
      if (!kernel.hasComm(id)) this.take(kernel.createComm(TARGET, id));
    }
  }

  take(comm) {
    this.comm = comm;
    comm.onMsg = ({ content: { data } }) => this.hear(data);
    comm.onClose = () => this.leave();
    this.say("hello");
  }

  say(what, panel) {
    if (this.comm && !this.comm.isDisposed) this.comm.send({ say: what, panel });
  }

  // The kernel is gone, and its servers with it.
  leave() {
    this.comm = null;
    for (const panel of this.panels.values()) panel.part.ended("The kernel has ended.");
  }

  hear(data) {
    if (data.do === "open") this.open(data);
    const part = this.panels.get(data.panel)?.part;
    if (data.do === "rows") part?.take(data);
    if (data.do === "notify") {
      const options = { autoClose: false };
      this.lab.app.commands.execute("apputils:notify", { message: data.words, type: "info", options });
    }
    if (data.do === "ended") part?.ended("The server has ended.");
  }

  open(data) {
    if (data.notebook) this.root = data.notebook;
    let panel = this.panels.get(data.panel);
    if (!panel) {
      panel = this.make(data);
      this.panels.set(data.panel, panel);
      this.place(panel, data.kind);
    }
    panel.part.open(data);
  }

  make({ panel: key, kind, title }) {
    const part = kind === "page" ? new SitePage(this.lab, key) : new Conversation((row) => this.edit(row));
    const widget = new this.lab.Widget({ node: part.node });
    widget.id = `channels-live-${Math.random().toString(36).slice(2)}`;
    Object.assign(widget.title, { label: title, caption: title, closable: true });
    widget.onCloseRequest = () => widget.dispose();
    widget.disposed.connect(() => {
      part.close();
      this.panels.delete(key);
      this.say("closed", key);
    });
    return { widget, part, kind };
  }

  // Pages right above, side by side; the conversation right below.
  place({ widget }, kind) {
    const shell = this.lab.app.shell;
    const others = [...this.panels.values()].filter((panel) => panel.widget !== widget && panel.widget.isAttached);
    const last = (wanted) => others.findLast((panel) => panel.kind === wanted)?.widget;
    const [ref, mode] =
      kind === "page"
        ? last("page") ? [last("page"), "split-right"] : [last("conversation"), "split-top"]
        : last("conversation") ? [last("conversation"), "tab-after"] : [last("page"), "split-bottom"];
    const where = ref ? { ref: ref.id, mode } : { ref: this.notebook.id, mode: "split-right" };
    shell.add(widget, "main", { ...where, activate: false });
  }

  // Bring panels to the front, or back. Return whether that can be.
  show(keys) {
    if (!this.comm) return false;
    for (const key of keys) {
      const panel = this.panels.get(key);
      if (panel) this.lab.app.shell.activateById(panel.widget.id);
      else this.say("show", key);
    }
    return true;
  }

  // Open the learner's file at a line. It can be, if it lies below the folder of JupyterLab.
  async edit({ folder, file, line }) {
    const path = `${folder}/${file}`.replaceAll("\\", "/");
    const own = this.notebook.context.localPath;
    const session = (this.root ?? "").replaceAll("\\", "/");
    const root = session.endsWith(`/${own}`)
      ? session.slice(0, -own.length)
      : `${this.lab.PageConfig.getOption("serverRoot")}/`;
    if (!path.startsWith(root)) return;
    const document = await this.lab.app.commands.execute("docmanager:open", {
      path: path.slice(root.length),
      factory: "Editor",
      options: { ref: this.notebook.id, mode: "tab-after" },
    });
    await document?.context.ready;
    const editor = document?.content.editor;
    const position = { line: line - 1, column: 0 };
    editor?.setCursorPosition(position);
    editor?.revealPosition(position);
    editor?.focus();
  }

  close() {
    for (const { widget } of [...this.panels.values()]) widget.dispose();
  }
}
