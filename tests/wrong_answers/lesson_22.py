"""Wrong answers to the exercises of lesson 22."""

from . import Wrong

CONF, HEALTH = "nginx.conf", "myapp/health.py"
CONNECTION = '            proxy_set_header Connection "upgrade";\n'
UPGRADE = "            proxy_set_header Upgrade $http_upgrade;\n"
ADDRESS = "X-Forwarded-For $remote_addr;"
BUFFERS = "            proxy_buffering off;\n"
PASSED = """            proxy_pass http://site;
            proxy_set_header Host $http_host;
"""
TRY = """    try:
        ask()
    except Exception:  # whatever it is, it does not work
        return False
    return True
"""

WRONG = {
    "22.1": [
        Wrong("hands on Upgrade alone", "two headers, not one", CONF, CONNECTION, ""),
        Wrong("hands on Connection alone", "two headers, not one", CONF, UPGRADE, ""),
        Wrong("hands on what the client says", "two headers, not one", CONF, '"upgrade"', "close"),
        Wrong(
            "adds to what a client has written",
            "who may write `X-Forwarded-For`",
            CONF,
            ADDRESS,
            "X-Forwarded-For $proxy_add_x_forwarded_for;",
        ),
        Wrong(
            "takes what a client has written",
            "where the client really comes from",
            CONF,
            ADDRESS,
            "X-Forwarded-For $http_x_forwarded_for;",
        ),
        Wrong(
            "removes the header",
            "where the client really comes from",
            CONF,
            ADDRESS,
            'X-Forwarded-For "";',
        ),
        Wrong("still hangs up", "which pings every 20 seconds", CONF, "90s", "500ms"),
        Wrong(
            "gives time to connect, which is another",
            "which pings every 20 seconds",
            CONF,
            "proxy_read_timeout 90s;",
            "proxy_read_timeout 500ms; proxy_connect_timeout 90s;",
        ),
        Wrong(
            "is patient, but not until the next ping",
            "which pings every 20 seconds",
            CONF,
            "proxy_read_timeout 90s;",
            "proxy_read_timeout 2s;",
        ),
        Wrong(
            "loses the host",
            "the `Host` that nginx hands on",
            CONF,
            "            proxy_set_header Host $http_host;\n",
            "            proxy_set_header Host site;\n",
        ),
        Wrong(
            "leads to where nobody listens",
            "whether nginx reaches daphne",
            CONF,
            "http://unix:run/one.sock",
            "http://unix:run/site.sock",
        ),
    ],
    "22.2": [
        Wrong("goes on gathering", "it gathers, or hands it on", CONF, BUFFERS, ""),
        Wrong(
            "makes the buffers smaller",
            "it gathers, or hands it on",
            CONF,
            BUFFERS,
            "            proxy_buffer_size 1k; proxy_buffers 2 1k; proxy_busy_buffers_size 1k;\n",
        ),
        Wrong(
            "does not keep what it gathers",
            "it gathers, or hands it on",
            CONF,
            BUFFERS,
            "            proxy_cache off;\n",
        ),
        Wrong(
            "waits a second for the next piece",
            "how long nginx waits for the next piece",
            CONF,
            BUFFERS,
            f"{BUFFERS}            proxy_read_timeout 1s;\n",
        ),
        Wrong(
            "switches off for another place",
            "it gathers, or hands it on",
            CONF,
            BUFFERS,
            "            proxy_request_buffering off;\n",
        ),
        Wrong(
            "forgets where to pass it",
            "reaches daphne",
            CONF,
            "            proxy_pass http://site;\n            proxy_set_header Host $http_host;\n"
            + BUFFERS,
            BUFFERS,
        ),
        Wrong(
            "forgets the host",
            "reaches daphne",
            CONF,
            "            proxy_set_header Host $http_host;\n" + BUFFERS,
            BUFFERS,
        ),
        Wrong(
            "hands on another path",
            "with this path, as the other pages do",
            CONF,
            PASSED + BUFFERS,
            PASSED.replace("//site", "//site/") + BUFFERS,
        ),
    ],
    "22.3": [
        Wrong(
            "asks the database whether it lives",
            "It answers whatever else is broken",
            HEALTH,
            '    return HttpResponse("yes")\n',
            '    ask_database()\n    return HttpResponse("yes")\n',
        ),
        Wrong(
            "raises what it meets", "with which status", HEALTH, TRY, "    ask()\n    return True\n"
        ),
        Wrong(
            "says it, and answers 200",
            "with which status",
            HEALTH,
            "status=200 if all(answer.values()) else 503",
            "status=200",
        ),
        Wrong("asks nobody", "with which status", HEALTH, TRY, "    return True\n"),
        Wrong(
            "is ready if one of them works",
            "with which status",
            HEALTH,
            "all(answer.values())",
            "any(answer.values())",
        ),
        Wrong(
            "remembers the first answer",
            "with which status",
            HEALTH,
            "def works(ask):\n",
            "from functools import cache\n\n\n@cache\ndef works(ask):\n",
        ),
        Wrong(
            "leaves out the second question",
            "with which status",
            HEALTH,
            '"layer": works(ask_layer)}',
            '"layer": True}',
        ),
    ],
}
