"""A learner of a class without a browser: logs in as one does, and runs cells by Jupyter's API."""

import contextlib
import json
import re
import ssl
import uuid
import weakref

import httpx
from deployed import for_threads
from websockets.sync.client import connect


class Learner:
    """A learner who has come in. running: a Class. user: the name that the hub has for them."""

    def __init__(self, running, name, code=None):
        self._stack = contextlib.ExitStack()
        context = for_threads(ssl.create_default_context())
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.running, self.tls = running, context
        self.http = httpx.Client(
            base_url=running.url,
            verify=context,
            follow_redirects=True,
            timeout=300,
            trust_env=False,
        )
        weakref.finalize(self, self.http.close)  # who is refused closes nothing
        form = self.http.get("/hub/login")
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', form.text)[1]
        data = {"_xsrf": xsrf, "username": name, "password": code or running.code}
        answer = self.http.post("/hub/login?next=/hub/home", data=data)
        if answer.status_code != 200:
            raise PermissionError(re.sub(r"\s+", " ", answer.text))
        self.user = re.search(r'user: "([\w-]+)"', answer.text)[1]
        self.base = f"/user/{self.user}"
        self.http.get(f"{self.base}/lab").raise_for_status()  # the hub logs us in there too

    def _ask(self, method, path, **options):
        xsrf = next(
            c.value for c in self.http.cookies.jar if (c.name, c.path) == ("_xsrf", f"{self.base}/")
        )
        headers = {"X-XSRFToken": xsrf}
        return self.http.request(
            method, self.base + path, headers=headers, **options
        ).raise_for_status()

    def start_kernel(self, path="notebooks"):
        """Start a kernel, and open its socket."""
        self.kernel = self._ask("POST", "/api/kernels", json={"path": path}).json()["id"]
        self.open_socket()

    def open_socket(self):
        url = httpx.URL(self.running.url)
        cookies = "; ".join(
            f"{c.name}={c.value}"
            for c in self.http.cookies.jar
            if self.base.startswith(c.path.rstrip("/"))
        )
        opened = connect(
            f"{'wss' if url.scheme == 'https' else 'ws'}://{url.netloc.decode()}{self.base}/api/kernels/{self.kernel}/channels",
            additional_headers={"Cookie": cookies},
            origin=str(url).rstrip("/"),
            ssl=self.tls if url.scheme == "https" else None,
            max_size=None,
            proxy=None,
        )
        self.socket = self._stack.enter_context(opened)

    def run(self, source, timeout=120):
        """Run a cell. Return what it says and displays, as one text. An error raises."""
        message = uuid.uuid4().hex
        header = {
            "msg_id": message,
            "msg_type": "execute_request",
            "username": "",
            "session": message,
            "version": "5.3",
        }
        content = {
            "code": source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
        }
        self.socket.send(
            json.dumps(
                {
                    "header": header,
                    "parent_header": {},
                    "metadata": {},
                    "content": content,
                    "channel": "shell",
                }
            )
        )
        told = []
        while True:
            answer = json.loads(self.socket.recv(timeout=timeout))
            if answer["parent_header"].get("msg_id") != message:
                continue
            content = answer["content"]
            match answer["header"]["msg_type"]:
                case "stream":
                    told.append(content["text"])
                case "display_data" | "execute_result" | "update_display_data":
                    told.append(content["data"].get("text/plain", ""))
                case "error":
                    raise RuntimeError(f"{content['ename']}: {content['evalue']}")
                case "status" if content["execution_state"] == "idle":
                    return "".join(told)

    def write(self, path, text):
        """Save a file, as JupyterLab does."""
        body = {"type": "file", "format": "text", "content": text}
        self._ask("PUT", f"/api/contents/{path}", json=body)

    def close(self):
        self._stack.close()
        self.http.close()
