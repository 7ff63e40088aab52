// The stage: for each notebook, the panels beside it. What they show comes from its kernel, over a
// comm that channels_live/stage/stage.py opens; see there for the messages.
import { Conversation } from "./conversation.js";
import { SitePage } from "./page.js";

const TARGET = "channels-live";
const MEDIA_TYPE = "application/vnd.channels-live+json";
const WINDOW = Math.random().toString(36).slice(2); // this one; the kernel may be seen in others too
const WIDE = 900, HIGH = 450; // pixels that the main area must have, to be divided
const ROOMY = 1250; // and to be divided beside the file browser: a half then holds a timeline
const COLUMNS = /\S {3,}\S|──▶|◀──|[■·]{2}/; // in a text that would be unreadable if it were wrapped
const FROM_START = "Run the notebook again from its first cell: Run → Run All Above Selected Cell.";

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
        stages.set(notebook, new Stage({ ...lab, app, shell: app.shell, tracker, stages }, notebook));
        const columns = new MutationObserver((changes) => { // but for those while somebody types
          if (changes.some(({ target }) => !target.closest?.(".jp-Editor"))) keepColumns(notebook.node);
        });
        columns.observe(notebook.node, { childList: true, subtree: true });
        notebook.disposed.connect(() => {
          columns.disconnect();
          stages.get(notebook).close();
          stages.delete(notebook);
        });
      };
      tracker.forEach(follow);
      tracker.widgetAdded.connect((_, notebook) => follow(notebook));
      tracker.currentChanged.connect(() => // once the other notebook is in sight
        requestAnimationFrame(() => stages.forEach((stage) => stage.tidy())));
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

// What stands below each other, as in a timeline, scrolls in a narrow window.
function keepColumns(node) {
  for (const text of node.querySelectorAll(".jp-OutputArea-output pre")) {
    const wide = COLUMNS.test(text.textContent);
    if (text.classList.contains("cl-Columns") !== wide) text.classList.toggle("cl-Columns", wide);
  }
}

class Stage {
  constructor(lab, notebook) {
    Object.assign(this, { lab, notebook, comm: null, panels: new Map(), elsewhere: false });
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
    if (this.comm && !this.comm.isDisposed) this.comm.send({ say: what, panel, window: WINDOW });
  }

  // The kernel is gone, and its servers with it.
  leave() {
    this.comm = null;
    for (const panel of this.panels.values()) panel.part.ended("The kernel has ended.", FROM_START);
    this.tidy();
  }

  hear(data) {
    if (data.do === "open") this.open(data);
    const part = this.panels.get(data.panel)?.part;
    if (data.do === "rows") part?.take(data);
    if (data.do === "notify") {
      const options = { autoClose: false };
      this.lab.app.commands.execute("apputils:notify", { message: data.words, type: "info", options });
    }
    if (data.do === "ended") {
      part?.ended("The server has ended.", "Run the cell that starts it.");
      this.tidy();
    }
    if (data.do === "window") {
      // a page that is open twice would be two visitors
      this.elsewhere = data.window !== WINDOW;
      for (const panel of this.panels.values()) panel.part.setElsewhere?.(this.elsewhere);
    }
  }

  // Whether another notebook has taken the place of this one.
  isBehind() {
    return !this.notebook.isVisible && this.lab.tracker.currentWidget !== this.notebook;
  }

  // Leave no room to what has ended, once the learner has gone on to another notebook.
  tidy() {
    if (!this.isBehind()) return;
    for (const panel of [...this.panels.values()]) {
      if (!panel.part.end) continue;
      panel.tidied = true; // so that the kernel goes on telling, and it comes back with its server
      panel.widget.dispose();
    }
  }

  open(data) {
    if (data.notebook) this.root = data.notebook;
    let panel = this.panels.get(data.panel);
    if (!panel) {
      if (!data.running && this.isBehind()) return;
      panel = this.make(data);
      this.panels.set(data.panel, panel);
      this.place(panel, data.kind);
    }
    panel.part.open(data);
  }

  make({ panel: key, kind, title }) {
    const part = kind === "page"
      ? new SitePage(this.lab, key, this.elsewhere, () => this.say("hello"))
      : new Conversation((row) => this.edit(row));
    const widget = new this.lab.Widget({ node: part.node });
    widget.id = `channels-live-${Math.random().toString(36).slice(2)}`;
    Object.assign(widget.title, { label: title, caption: title, closable: true });
    widget.onCloseRequest = () => widget.dispose();
    const panel = { widget, part, kind, tidied: false };
    widget.disposed.connect(() => {
      part.close();
      this.panels.delete(key);
      if (!panel.tidied) this.say("closed", key);
    });
    return panel;
  }

  // Pages right above, side by side; the conversation right below. In a narrow window all stand
  // below the notebook, and in a small one they are tabs. Panels of another notebook get no less
  // room: these are tabs over them.
  place({ widget }, kind) {
    const { shell, stages } = this.lab;
    const attached = (stage, wanted) => [...stage.panels.values()]
      .filter((panel) => panel.kind === wanted && panel.widget !== widget && panel.widget.isAttached)
      .map((panel) => panel.widget);
    const [isPage, other] = kind === "page" ? [true, "conversation"] : [false, "page"];
    const others = [...stages.values()].filter((stage) => stage !== this);
    const own = attached(this, kind);
    const covers = isPage && own.length > 1; // a third one beside two would leave no room for any
    const there = others.map((stage) => attached(stage, kind)[own.length]).find(Boolean);
    const across = [this, ...others].map((stage) => attached(stage, other).at(-1)).find(Boolean);
    const [below, tabs] = roomIn(shell);
    const [ref, mode] =
      tabs ? [this.notebook, "tab-after"]
        : there ? [there, "tab-after"]
          : covers ? [own[own.length % 2], "tab-after"]
            : own.length ? [own.at(-1), isPage ? "split-right" : "tab-after"]
            : across && below ? [across, isPage ? "split-left" : "split-right"]
              : across ? [across, isPage ? "split-top" : "split-bottom"]
                : [this.notebook, below ? "split-bottom" : "split-right"];
    shell.add(widget, "main", { ref: ref.id, mode, activate: false });
    if ((there || covers) && !this.isBehind()) widget.parent?.selectWidget?.(widget);
  }

  // Bring panels to the front, or back. Return whether that can be.
  show(keys) {
    if (!this.comm) return false;
    for (const key of keys) {
      const panel = this.panels.get(key);
      if (panel) this.lab.shell.activateById(panel.widget.id);
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

// Return whether the main area is too narrow to stand side by side, and also too low for below each
// other. One that is not roomy gets the room of the file browser, which a click brings back.
function roomIn(shell) {
  const { clientWidth, clientHeight } = document.getElementById("jp-main-dock-panel") ?? document.body;
  const left = document.getElementById("jp-left-stack")?.clientWidth ?? 0;
  if (clientWidth < ROOMY) shell.collapseLeft?.();
  const narrow = clientWidth + left < WIDE;
  return [narrow, narrow && clientHeight < HIGH];
}
