"""Wrong answers to the exercises of lesson 1."""

from . import Wrong

PROCFILE, KNOCK = "Procfile", "knock.py"
LINE = "daphne -p 8000 myproject.asgi:application"
BODY = """    try:
        async with connect(address, origin="http://localhost"):
            return "open"
    except InvalidStatus as refused:
        return f"refused with {refused.response.status_code}"
    except OSError:
        return "nobody there"
"""

WRONG = {
    "1.1": [
        Wrong("mends only the colon", "No module named 'mysite'", PROCFILE, "myproject", "mysite"),
        Wrong(
            "leaves the dots",
            "not enough values to unpack",
            PROCFILE,
            ":application",
            ".application",
        ),
        Wrong(
            "leaves the name", "has no attribute 'app'", PROCFILE, "asgi:application", "asgi:app"
        ),
        Wrong(
            "names the application of wsgi.py",
            "there is one in `wsgi.py` too",
            PROCFILE,
            "asgi:",
            "wsgi:",
        ),
        Wrong("forgets the folder", "No module named 'asgi'", PROCFILE, "myproject.asgi", "asgi"),
        Wrong(
            "goes back to runserver",
            "it has to speak ASGI",
            PROCFILE,
            LINE,
            "python manage.py runserver 8000",
        ),
        Wrong("loses the port", "the number behind `-p`", PROCFILE, "-p 8000", "-p 80"),
        Wrong("puts a comment before it", "has to begin with `web:`", PROCFILE, "web: ", "# web: "),
        Wrong("writes it large", "Web: daphne -p 8000", PROCFILE, "web: ", "Web: "),
        Wrong("puts it in quotes", "nothing around it", PROCFILE, LINE, f'"{LINE}"'),
    ],
    "1.2": [
        Wrong(
            "catches only refusals",
            "ConnectionRefusedError",
            KNOCK,
            '    except OSError:\n        return "nobody there"\n',
            "",
        ),
        Wrong(
            "takes every failure for nobody",
            "which exception `connect` raises in this case",
            KNOCK,
            BODY,
            """    try:
        async with connect(address):
            return "open"
    except Exception:
        return "nobody there"
""",
        ),
        Wrong(
            "shows the whole refusal",
            "`refused.response.status_code`",
            KNOCK,
            "{refused.response.status_code}",
            "{refused}",
        ),
        Wrong(
            "knows only the status of the lesson",
            "where the number comes from",
            KNOCK,
            "{refused.response.status_code}",
            "404",
        ),
        Wrong(
            "prints instead of returning",
            "whether `knock` returns a text",
            KNOCK,
            'return "open"',
            'print("open")',
        ),
        Wrong(
            "forgets await",
            "it has to be awaited",
            KNOCK,
            "print(await knock(address))",
            "print(knock(address))",
        ),
        Wrong(
            "says more than it is asked",
            "nothing else on the line",
            KNOCK,
            "print(await knock(address))",
            "print(address, await knock(address))",
        ),
        Wrong(
            "does not know where the status is",
            "and the line that raises it",
            KNOCK,
            "refused.response.status_code",
            "refused.status_code",
        ),
        Wrong("forgets async", "TypeError", KNOCK, "async with connect", "with connect"),
        Wrong(
            "leaves without a close",
            "the connection was dropped",
            KNOCK,
            BODY,
            BODY.replace(
                'async with connect(address, origin="http://localhost"):\n            return',
                "await connect(address)\n        return",
            ),
        ),
        Wrong(
            "waits for a frame, as in the lesson",
            "may stay silent for ever",
            KNOCK,
            '"):\n            return "open"',
            '") as websocket:\n            await websocket.recv()\n            return "open"',
        ),
    ],
}
