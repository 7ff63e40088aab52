"""Wrong answers to the exercises of lesson 4."""

from . import Wrong

ROUTING, STOPS = "myapp/routing.py", "myapp/stops.py"
LINE = 'r"^ws/stops/(?P<stop>[0-9]+)/(?P<line>[A-Z][0-9])/$"'

WRONG = {
    "4.1": [
        Wrong(
            "keeps the first slash",
            "No route found for path 'ws/soup/'",
            ROUTING,
            '"ws/soup/"',
            '"/ws/soup/"',
        ),
        Wrong(
            "forgets the last slash",
            "No route found for path 'ws/salad/'",
            ROUTING,
            '"ws/salad/"',
            '"ws/salad"',
        ),
        Wrong(
            "forgets as_asgi",
            "object CakeConsumer can't be used in 'await' expression",
            ROUTING,
            "CakeConsumer.as_asgi()",
            "CakeConsumer",
        ),
        Wrong(
            "forgets the brackets of as_asgi",
            "takes 1 positional argument",
            ROUTING,
            "CakeConsumer.as_asgi()",
            "CakeConsumer.as_asgi",
        ),
        Wrong(
            "makes one consumer for all",
            "a consumer of its own",
            ROUTING,
            "CakeConsumer.as_asgi()",
            "CakeConsumer()",
        ),
        Wrong(
            "leaves the pattern loose",
            "lets in before its start",
            ROUTING,
            'path("ws/orders/"',
            're_path(r"ws/orders/"',
            ((ROUTING, "import path\n", "import path, re_path\n"),),
        ),
        Wrong(
            "pins only the beginning",
            "lets in behind its own end",
            ROUTING,
            'path("ws/orders/"',
            're_path(r"^ws/orders/"',
            ((ROUTING, "import path\n", "import path, re_path\n"),),
        ),
        Wrong(
            "mixes two consumers up",
            "to which consumer this route leads",
            ROUTING,
            "canteen.SaladConsumer",
            "canteen.SoupConsumer",
        ),
        Wrong(
            "includes the routes",
            "include() is not supported in URLRouter",
            ROUTING,
            '    path("ws/orders/", canteen.OrdersConsumer.as_asgi()),\n',
            '    path("ws/", include([path("orders/", canteen.OrdersConsumer.as_asgi())])),\n',
            ((ROUTING, "import path\n", "import include, path\n"),),
        ),
    ],
    "4.2": [
        Wrong(
            "adds a number to a text",
            "TypeError: can only concatenate str",
            STOPS,
            'int(found["stop"])',
            'found["stop"]',
        ),
        Wrong(
            "always wants a line",
            "KeyError: 'line'",
            STOPS,
            '        if "line" in found:\n            text',
            "        text",
        ),
        Wrong(
            "sends None for the line",
            "where the address has no line",
            STOPS,
            '        if "line" in found:\n            text += f", line {found[\'line\']}"\n',
            "        text += f\", line {found.get('line')}\"\n",
        ),
        Wrong(
            "glues the number on",
            "the type of the stop",
            STOPS,
            "stop {stop + 1}",
            "stop {stop}1",
        ),
        Wrong(
            "knows one stop",
            "where the number comes from",
            STOPS,
            'int(found["stop"])',
            "12",
        ),
        Wrong(
            "takes anything for a line",
            "its letter is a capital",
            ROUTING,
            f"re_path({LINE}",
            'path("ws/stops/<int:stop>/<str:line>/"',
        ),
        Wrong(
            "forgets the end of the pattern",
            "does it end?",
            ROUTING,
            "[0-9])/$",
            "[0-9])/",
        ),
        Wrong(
            "forgets the last slash",
            "No route found for path 'ws/stops/",
            ROUTING,
            "<int:stop>/",
            "<int:stop>",
        ),
        Wrong(
            "takes any text for a stop",
            "a stop is a whole number",
            ROUTING,
            "<int:stop>/",
            "<slug:stop>/",
        ),
        Wrong(
            "refuses in the consumer",
            "a 403 comes from `connect`",
            ROUTING,
            f"re_path({LINE}",
            'path("ws/stops/<int:stop>/<str:line>/"',
            (
                (
                    STOPS,
                    "        self.accept()\n",
                    '        if len(found.get("line", "N4")) != 2 or "n4" in found.values():\n'
                    "            return self.close()\n"
                    "        self.accept()\n",
                ),
            ),
        ),
        Wrong(
            "sends bytes",
            "how it is sent: as `text_data`",
            STOPS,
            "text_data=text",
            "bytes_data=text.encode()",
        ),
        Wrong("does not accept", "whether `connect` accepts", STOPS, "        self.accept()\n", ""),
    ],
}
