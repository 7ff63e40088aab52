"""nginx before a daphne on a Unix socket: it starts, for this computer only, or says why not."""

import socket
import sys

import psutil
import pytest
from clients import eventually, gone
from deployed import certificate
from websockets.sync.client import connect

from channels_live.server import ServerError, nginx
from channels_live.server import command as commands
from channels_live.server.command import parse
from channels_live.server.ports import free_port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets")
DAPHNE = "daphne -u run/one.sock myproject.asgi:application"
NGINX = "nginx -p run -c ../nginx.conf"
FILE = """daemon off;
events {}
http {
    access_log off;
    # listen 80;
    upstream site { server unix:run/one.sock; }
    server {
        listen 127.0.0.1:PORT ssl;
        ssl_certificate run/site.pem;
        ssl_certificate_key run/site.pem;
        location / {
            proxy_pass http://site;
            proxy_set_header Host $host;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }
    }
}
"""


@pytest.fixture
def folder(site):
    """Return the folder of a site with a file for nginx, and a certificate."""
    (site / "run").mkdir()
    (site / "nginx.conf").write_text(FILE.replace("PORT", "8443"))
    return site


@pytest.fixture
def trusted(folder):
    """Write a certificate for this computer. Return what trusts it."""
    return certificate(folder)


def change(folder, old, new):
    file = folder / "nginx.conf"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


@pytest.mark.live
def test_page_and_socket_through_tls(start, folder, trusted):
    proxy, daphne = start(NGINX), start(DAPHNE)
    assert daphne.port is None
    assert proxy.url() == f"https://127.0.0.1:{proxy.port}/"
    assert proxy.http("/accounts/login/", verify=trusted).status_code == 200
    address = proxy.ws("/ws/chat/")
    assert address.startswith(f"wss://127.0.0.1:{proxy.port}/")
    with connect(address, ssl=trusted, origin="http://localhost", proxy=None) as websocket:
        websocket.send('{"message": "hello"}')
        assert websocket.recv(timeout=10) == '{"message": "hello"}'
    assert "hello" in str(daphne.timeline())
    assert [path for path in folder.rglob("*_temp") if path.parent.name != "run"] == []
    processes = [psutil.Process(proxy.pid), *psutil.Process(proxy.pid).children()]
    assert len(processes) > 1
    proxy.stop()
    assert gone(processes)
    daphne.stop()
    assert eventually(lambda: not (folder / "run/one.sock").exists(), within=2.0)


@pytest.mark.live
def test_typed_port_is_taken_where_it_is_free(start, folder, trusted, monkeypatch, capsys):
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT")
    port = free_port()
    change(folder, ":8443", f":{port}")
    first = start(NGINX)
    assert first.port == port
    assert not (folder / nginx.COPY).exists()
    second = start(NGINX)
    assert second.port != port
    assert f"this server gets port {second.port}, https://127.0.0.1" in capsys.readouterr().out


@pytest.mark.live
def test_port_that_was_taken_after_we_had_looked(start, folder, trusted, monkeypatch):
    """nginx may be built with a C library that has words of its own for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ServerError, match="is taken by") as caught:
            start(NGINX, port=port, fallback=False)
        assert caught.value.port_taken
        monkeypatch.setattr("channels_live.server.ports.free_port", [free_port(), port].pop)
        assert start(NGINX).port not in (None, port)


@pytest.mark.live
@pytest.mark.parametrize("port", ["8443", "0"], ids=["another", "typed"])
def test_fault_in_its_file_is_told_as_the_file_is_called(start, folder, trusted, port):
    change(folder, "events {}", "thunder {}")
    with pytest.raises(ServerError) as caught:
        start(NGINX)
    assert 'unknown directive "thunder" in run/../nginx.conf:2' in caught.value.reason
    assert "#" not in caught.value.log, "no numbers of processes"


@pytest.mark.parametrize("line", ["listen 8443 ssl;", "listen *:8443 ssl;", "listen 0.0.0.0:8443;"])
def test_other_computers_are_kept_out(folder, line):
    change(folder, "listen 127.0.0.1:8443 ssl;", line)
    with pytest.raises(ServerError, match="would open this server to other computers"):
        parse(NGINX, folder)


def test_one_port_only(folder):
    change(folder, "# listen 80;", "server { listen 127.0.0.1:8080; }")
    with pytest.raises(ServerError, match="Here a server listens on one port"):
        parse(NGINX, folder)


@pytest.mark.parametrize("line", ["nginx", "nginx -c", "nginx -c missing.conf"])
def test_what_is_wrong_with_the_command_nginx_says_itself(folder, line):
    assert parse(line, folder).port is None


def test_where_it_listens():
    text = (
        "listen unix:a.sock; listen [::1]:81 ssl; #listen 1;\n listen localhost:82;listen 83 http2;"
    )
    assert nginx.listening(text) == [
        ("[::1]", "81", True),
        ("localhost", "82", False),
        ("", "83", False),
    ]


def test_missing_program_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match="brew install nginx"):
        parse(NGINX, tmp_path)
