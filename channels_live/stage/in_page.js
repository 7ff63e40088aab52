// Runs first in every page that is shown beside a notebook. The page lives below a prefix there, in
// a sandbox; its scripts need not know. Addresses that they use get the prefix, and what a sandbox
// has not (cookies, storage) is here as long as the page is.
(() => {
  const { prefix, site, cookies } = document.currentScript.dataset;
  document.currentScript.remove();
  const secure = location.protocol === "https:";

  // "/ws/chat/", "ws://<here>/ws/chat/" and "ws://127.0.0.1:8000/ws/chat/" → the same below the prefix
  function below(address) {
    let url;
    try {
      url = new URL(address, document.baseURI);
    } catch {
      return address;
    }
    const kind = /^(http|ws)s?:$/.exec(url.protocol)?.[1];
    if (!kind || (url.host !== location.host && url.host !== site)) return address;
    const path = url.pathname;
    const inside = path === prefix || path.startsWith(`${prefix}/`);
    const scheme = kind + (secure ? "s" : "");
    return `${scheme}://${location.host}${inside ? path : prefix + path}${url.search}${url.hash}`;
  }

  // --- what a script asks for

  for (const name of ["WebSocket", "EventSource"]) {
    window[name] = new Proxy(window[name], {
      construct: (target, [address, ...more], made) =>
        Reflect.construct(target, [below(address), ...more], made),
    });
  }
  const fetch = window.fetch;
  window.fetch = (what, options) =>
    what instanceof Request
      ? fetch.call(window, new Request(below(what.url), what), options)
      : fetch.call(window, below(what), options);
  replace(XMLHttpRequest.prototype, "open", 1);
  replace(Navigator.prototype, "sendBeacon", 0);
  replace(window, "open", 0);
  replace(History.prototype, "pushState", 2);
  replace(History.prototype, "replaceState", 2);

  function replace(owner, name, position) {
    const original = owner[name];
    owner[name] = function (...given) {
      if (given[position] != null) given[position] = below(given[position]);
      return original.apply(this, given);
    };
  }

  // --- what a script makes the browser load

  for (const [element, attribute] of [
    [HTMLImageElement, "src"], [HTMLScriptElement, "src"], [HTMLIFrameElement, "src"],
    [HTMLMediaElement, "src"], [HTMLLinkElement, "href"],
  ]) {
    const property = Object.getOwnPropertyDescriptor(element.prototype, attribute);
    Object.defineProperty(element.prototype, attribute, {
      ...property,
      set(address) { property.set.call(this, below(address)); },
    });
  }

  // --- where a click, a form or a script leads

  window.inPage = {
    location: {
      assign: (address) => location.assign(below(address)),
      replace: (address) => location.replace(below(address)),
      set href(address) { location.href = below(address); },
    },
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (link) link.href = below(link.href);
  }, true);
  document.addEventListener("submit", (event) => prepare(event.target, event.submitter), true);
  const submit = HTMLFormElement.prototype.submit;
  HTMLFormElement.prototype.submit = function () {
    prepare(this);
    submit.call(this);
  };

  function prepare(form, button) {
    // by attribute: a form may have a field that is called "action"
    form.setAttribute("action", below(form.getAttribute("action") || location.href));
    if (button?.hasAttribute("formaction")) {
      button.setAttribute("formaction", below(button.getAttribute("formaction")));
    }
  }

  // --- what a sandbox has not

  const jar = new Map(cookies.split("; ").filter(Boolean).map((cookie) => cookie.split(/=(.*)/s)));
  Object.defineProperty(document, "cookie", {
    get: () => [...jar].map(([name, value]) => `${name}=${value}`).join("; "),
    set(cookie) {
      const [name, value = ""] = cookie.split(";")[0].trim().split(/=(.*)/s);
      if (/;\s*max-age=(0|-)/i.test(cookie)) jar.delete(name);
      else jar.set(name, value);
    },
  });
  for (const name of ["localStorage", "sessionStorage"]) {
    const stored = new Map();
    const storage = {
      getItem: (key) => stored.get(String(key)) ?? null,
      setItem: (key, value) => void stored.set(String(key), String(value)),
      removeItem: (key) => void stored.delete(String(key)),
      clear: () => stored.clear(),
      key: (number) => [...stored.keys()][number] ?? null,
      get length() { return stored.size; },
    };
    Object.defineProperty(window, name, { value: storage });
  }

  // --- the panel says where the page is

  addEventListener("pageshow", () => {
    const path = location.pathname.slice(prefix.length) + location.search;
    const gone = document.querySelector('meta[name="gone"]') !== null;
    parent.postMessage({ channelsLive: { path, title: document.title, gone } }, "*");
  });
})();
