export function element(name, className = "", attributes = {}) {
  const node = document.createElement(name);
  node.className = className;
  for (const [attribute, value] of Object.entries(attributes)) node.setAttribute(attribute, value);
  return node;
}

export function button(text, onclick, attributes = {}) {
  const node = element("button", "cl-Button", { type: "button", ...attributes });
  node.textContent = text;
  node.onclick = onclick;
  return node;
}
