"""Does what Python would do with its arguments, in a fork of `zygote.py`.

It is what runs as `python` in `!` cells of notebooks that tests run, and as the kernels of these.
The first argument is the address of what forks.
"""

import json
import os
import signal
import socket
import sys

connection = socket.socket(socket.AF_UNIX)
_, address, *words = sys.argv
connection.connect(address)
request = {"argv": words, "folder": os.getcwd(), "environment": dict(os.environ)}
socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
for line in connection.makefile():
    what, value = json.loads(line)
    if what == "pid":
        signal.signal(signal.SIGINT, lambda *_, pid=value: os.kill(pid, signal.SIGINT))
    else:
        sys.exit(value if value >= 0 else 128 - value)
