"""What the finished site, and the board, need to be deployed as lesson 22 teaches."""

import os
import secrets
import shlex
import ssl
import subprocess
import sys
from contextlib import contextmanager

import trustme
from clients import eventually

NGINX = "nginx -p run -c ../nginx.conf"


def for_threads(trusted):
    """Let a TLS context serve clients that read in one thread and write in another. Return it.

    In TLS 1.3 a server goes on with the handshake while the client may write already. Read and
    written at once, 12 of 15,000 first requests of websockets.sync were lost; none in TLS 1.2.
    Source: https://github.com/python/cpython/issues/151508
    """
    trusted.maximum_version = ssl.TLSVersion.TLSv1_2
    return trusted


def certificate(folder):
    """Make a folder for what runs, with a certificate of this computer. Return what trusts it."""
    (folder / "run").mkdir(exist_ok=True)
    authority, trusted = trustme.CA(), for_threads(ssl.create_default_context())
    pem = authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem
    pem.write_to_path(str(folder / "run/site.pem"))
    authority.configure_trust(trusted)
    return trusted


def production(proxy, broker):
    """Return the environment of the site's daphne, behind this proxy and with this broker."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "myproject.production",
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(50),
        "DJANGO_SITE": proxy.url(""),
        "REDIS_URL": broker.url(),
    }


@contextmanager
def in_terminal(line, folder, log, environment=None):
    """Run a server on a Unix socket as one types it, and end it: `uvicorn --uds run/two.sock …`.

    log: the file for all that it prints.
    """
    program, *arguments = shlex.split(line)
    path = folder / arguments[arguments.index("--uds") + 1]
    command = [sys.executable, "-m", program, *arguments]
    with log.open("w") as file:
        options = {"cwd": folder, "env": environment, "stdout": file, "stderr": file}
        process = subprocess.Popen(command, **options)
    try:
        assert eventually(path.exists), log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)
        path.unlink(missing_ok=True)
