// Opens a WebSocket, and opens it again when it is lost, unless the server has told us to stay away.
// Returns a function that sends.
export function openSocket(path, { opened, received, lost }) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  let socket, since, ended = false, wait = 0.5; // seconds
  function open() {
    since = Infinity;
    socket = new WebSocket(`${scheme}://${location.host}${path}`);
    socket.onopen = () => { since = Date.now(); opened?.(); };
    socket.onmessage = (event) => received(JSON.parse(event.data));
    socket.onclose = ({ code }) => {
      ended = code === 1000 || code === 1008 || (code >= 4400 && code < 4500);
      lost(ended);
      if (ended) return;
      wait = Date.now() - since > 5000 ? 0.5 : Math.min(2 * wait, 15);
      setTimeout(open, wait * (500 + 500 * Math.random())); // not all pages at once
    };
  }
  open();
  return (data) => {
    const ready = socket.readyState === WebSocket.OPEN;
    if (ready) socket.send(JSON.stringify(data));
    return ready;
  };
}

export function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
