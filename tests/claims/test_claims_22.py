"""What lesson 22 and its solutions state about nginx, daphne and what stands around them."""

import configparser
import json
import re
import shlex
import socket
import sys
import threading

import psutil
import pytest
from clients import DAPHNE
from daphne.cli import CommandLineInterface
from kinds import lay_out as lay_out_kinds
from packaging.version import Version
from rooms import UVICORN, closed_with, lay_out, visit
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from channels_live import notebook
from channels_live.server import Server
from channels_live.workspace import NOTEBOOKS
from conftest import stated

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets"),
]
NGINX = "nginx -p run -c ../nginx.conf"
UNIX = "daphne -u run/one.sock myproject.asgi:application"
FILE = """daemon off;
events {}
http {
    upstream site { server unix:run/one.sock; }
    server {
        listen 127.0.0.1:8443;
        location / { proxy_pass http://site; LINES }
    }
}
"""
UPGRADE = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
HOST = "proxy_set_header Host $http_host;"


@pytest.fixture
def proxy(tmp_path):
    """Return a function that starts an nginx with more lines in its file."""
    servers = []

    def proxy(*lines, folder=tmp_path):
        (folder / "run").mkdir(exist_ok=True)
        (folder / "nginx.conf").write_text(FILE.replace("LINES", " ".join(lines)))
        servers.append(Server(NGINX, folder))
        return servers[-1]

    yield proxy
    for server in servers:
        server.end()


@pytest.fixture
def heard(tmp_path):
    """Return the heads of requests that have come to the Unix socket, which answers nothing."""
    (tmp_path / "run").mkdir()
    heads = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "run/one.sock"))
    listener.listen()

    def listen():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            heads.append(connection.recv(65536).decode())
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            connection.close()

    threading.Thread(target=listen, daemon=True).start()
    yield heads
    listener.close()


@pytest.mark.claim(
    "lesson 22",
    "nginx does not hand on the `Host` that the visitor asked for: it says the name of the "
    "`upstream`, `site`",
    "`Upgrade` and `Connection` are meant for the next program only, so a proxy drops them.",
    "`$proxy_add_x_forwarded_for` *adds* nginx's visitor to what the visitor says: `192.0.2.66, "
    "127.0.0.1`.",
)
@pytest.mark.claim(
    "solutions 22", "The nginx of this course speaks 1.1 by itself; there you would not see"
)
def test_what_nginx_hands_on_by_itself(heard, proxy):
    said = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "X-Forwarded-For": "192.0.2.66",
        "X-Own": "kept",
    }
    proxy().http("/", headers=said)
    added = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
    proxy(added).http("/", headers=said)
    first, second = heard
    assert first.startswith("GET / HTTP/1.1\r\n")
    assert "\r\nHost: site\r\n" in first
    assert "upgrade" not in first.lower()
    assert "X-Own: kept" in first
    assert "X-Forwarded-For: 192.0.2.66\r\n" in first
    assert "X-Forwarded-For: 192.0.2.66, 127.0.0.1\r\n" in second


@pytest.mark.claim(
    "lesson 22",
    "nginx hangs up where nothing comes for a while",
    "daphne's ping comes every 20 seconds, so daphne does not need it; a server that pings once a "
    "minute does.",
    "daphne opens it with `-u`. No other computer can reach it",
    '`None`: a Unix socket has no address, and `scope["client"]` is `None`.',
)
def test_idle_socket_behind_a_proxy(project, tmp_path, proxy):
    assert CommandLineInterface().parser.parse_args(["x:y"]).ping_interval == 20
    folder = lay_out_kinds(project, tmp_path / "kinds")
    (folder / "run").mkdir()
    with Server(UNIX, folder) as daphne:
        listening = psutil.Process(daphne.pid).net_connections("tcp")
        assert not [its for its in listening if its.status == psutil.CONN_LISTEN]
        for patience, lives in (("300ms", False), ("19s", True)):
            server = proxy(UPGRADE, HOST, f"proxy_read_timeout {patience};", folder=folder)
            address = server.ws("/plain-scope/")
            with connect(address, origin="http://localhost", proxy=None) as websocket:
                assert json.loads(websocket.recv(timeout=10))["client"] is None
                with pytest.raises(TimeoutError if lives else ConnectionClosed):
                    websocket.recv(timeout=0.9)


@pytest.mark.claim(
    "lesson 22",
    "There the proxy writes `/board`, and Django and Channels take that away from what is asked "
    "for.",
)
def test_site_below_a_path(tmp_path):
    lay_out(tmp_path)
    headers = {"Daphne-Root-Path": "/board"}
    with Server(DAPHNE, tmp_path) as server:
        assert server.http("/board/chat/", headers=headers).status_code == 200
        assert server.http("/board/chat/").status_code == 404
        address = server.ws("/board/ws/chat/")
        options = {"origin": "http://localhost", "proxy": None}
        with connect(address, additional_headers=headers, **options) as websocket:
            websocket.send('{"message": "hello"}')
            assert websocket.recv(timeout=10) == '{"message": "hello"}'
        with pytest.raises(InvalidStatus), connect(address, **options):
            pass


@pytest.mark.claim(
    "lesson 22",
    "take 4.2.2 or newer, for older ones have no limit for the size of a message.",
    "and says goodbye when it is stopped: with close code 1012, *service restart*.",
)
def test_servers_that_stop(tmp_path):
    import daphne

    assert Version(daphne.__version__) >= Version("4.2.2")
    assert CommandLineInterface().parser.parse_args(["x:y"]).websocket_max_message_size == 2**20
    lay_out(tmp_path)
    for command, code in ((DAPHNE, 1006), (UVICORN, 1012)):
        server = Server(command, tmp_path)
        with visit(server, "/ws/chat/") as websocket:
            server.end()
            assert closed_with(websocket) == code


@pytest.mark.claim("lesson 22", "`RuntimeDirectoryMode` keeps other users of the computer away")
def test_what_a_supervisor_is_told():
    (page,) = NOTEBOOKS.glob("*_deploy_it.ipynb")
    text = "\n".join(cell.source for cell in notebook.read(page).cells)
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str
    unit.read_string(re.search(r"```ini\n(.+?)```", text, re.S)[1])
    assert unit["Service"]["RuntimeDirectoryMode"] == "0750", "the group: nginx's"
    lines = [
        unit["Service"]["ExecStart"],
        re.search(r"^web: (.+)$", text, re.M)[1].replace("$PORT", "8000"),
        shlex.join(json.loads(re.search(r"^CMD (.+)$", text, re.M)[1])),
    ]
    for line in lines:
        program, *arguments = shlex.split(line)
        typed = CommandLineInterface().parser.parse_args(arguments)
        assert program.endswith("daphne")
        assert typed.application == "myproject.asgi:application"
        assert typed.proxy_headers
    assert "needed(" in stated("lesson 22") or "needed(" in text
