// The door through which JupyterLab takes an extension: what a build would generate, by hand.
// `init` gets JupyterLab's own libraries, each loaded on demand; `get` returns our plugins.
// No folder here is called `static`: what lies in one browsers keep for a year, so that a new edition
// of the course would meet the panels of an old one.
(() => {
  const here = document.currentScript.src;
  let libraries;

  async function library(name) {
    const [version] = Object.values(libraries[name]);
    return (await version.get())();
  }

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB["channels-live"] = {
    init(scope) {
      libraries = scope;
    },
    async get() {
      const { plugin } = await import(new URL("stage.js", here));
      const module = { __esModule: true, default: await plugin(library) };
      return () => module;
    },
  };
})();
