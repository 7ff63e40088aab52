"""What is right in the exercises of lesson 4, Route WebSockets."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from channels_live.checks import Fits, NotYet, Site, number, word

HINTS = {
    "4.1": [
        "The status is 500 each time, so read the exception. Which path could not be found, "
        "and what does its route look like?",
        Fits(
            "No route found",
            "A route has no slash at its beginning and one at its end. "
            "Compare all four with that of the chat, letter by letter.",
        ),
        Fits(
            "can't be|takes 1 positional argument|of its own",
            "`can't be used in 'await' expression`, or `can't be awaited`: a route needs "
            "`as_asgi()`. `takes 1 positional argument`: it has lost its `()`. Behind the "
            "name of the class stand none.",
        ),
        Fits(
            "lets in",
            "`re_path` searches anywhere in the path. Use `path` for the orders, "
            "or put `^` and `$` around the pattern.",
        ),
    ],
    "4.2": [
        "Begin with `/ws/stops/12/`: a route with a converter for whole numbers, and a consumer "
        'that reads `self.scope["url_route"]["kwargs"]`. Add the line after that works.',
        "For the second address a regular expression says what a line is. "
        "A part of it gets a name like this: `(?P<line>…)`.",
        "`<int:stop>` hands over a number, a regular expression hands over a text: `int(…)`. "
        "And the first route has no line: look with `in`, or take it with `.get`.",
        'The second route: `re_path(r"^ws/stops/(?P<stop>[0-9]+)/(?P<line>…)/$", …)`, '
        "with `[A-Z]` for the letter and `[0-9]` for the digit.",
    ],
}
OWN = (
    "whether each client has a consumer of its own: `as_asgi()` makes one for each that comes, and "
    "`()` behind the name of the class makes one for all"
)
READ = "what your code raised, if it says so below; if not, whether `connect` accepts"


ANSWERS = """
from channels.generic.websocket import WebsocketConsumer


def answer(self, text_data=None, bytes_data=None):
    self.send(text_data=text_data)


WebsocketConsumer.receive = answer
"""


def check_4_1(site: Site) -> None:
    with (site.folder / "myapp/canteen.py").open("a", encoding="utf-8") as file:
        file.write(ANSWERS)  # so that a client can tell whose consumer it has
    site.serve()
    menu = {"soup": "tomato", "salad": "beetroot", "cake": "plum", "orders": "none yet"}
    for name, text in menu.items():
        path = f"/ws/{name}/"
        with site.client(path, READ) as anna, site.client(path, READ) as ben:
            for client in (anna, ben):
                client.expect(f"{name}: {text}", "to which consumer this route leads")
            anna.send(said := word())  # while another has come after her
            anna.expect(said, OWN)
    with site.client("/ws/chat/", "the route of the chat, which was right") as anna:
        anna.expect("welcome at /ws/chat/", "to which consumer the route of the chat leads")
    behind = {f"/ws/{name}/{word()}": "what this route lets in behind its own end" for name in menu}
    before = {f"/{word()}/ws/{name}/": "what this route lets in before its start" for name in menu}
    no_route(site, before | behind)


def check_4_2(site: Site) -> None:
    site.serve()
    for line in (None, "N4", f"{'ABCDEFGH'[number(0, 7)]}{number(0, 9)}"):
        stop = str(number())
        text = f"stop {stop}, next stop {int(stop) + 1}"
        with site.client(f"/ws/stops/{stop}/" + (f"{line}/" if line else ""), READ) as anna:
            anna.expect(
                text + (f", line {line}" if line else ""),
                "what `connect` sends, letter by letter",
                (lambda got: isinstance(got, bytes), "how it is sent: as `text_data`"),
                (f"{text}, line None", "what to send where the address has no line"),
                (text, "whether the line is looked for, and by which name"),
                (f"stop {stop}, next stop {stop}1", 'the type of the stop: "12" is not 12'),
                (lambda got, stop=stop: stop not in got, "where the number comes from"),
            )
    board = f"/ws/stops/{number()}/"
    begin = "what your pattern lets in before the address: does it begin anywhere?"
    end = "what your pattern lets in behind the address: does it end?"
    no_route(
        site,
        {
            f"/ws/stops/{word()}/": "the converter: a stop is a whole number",
            f"{board}n4/": "what a line may be: its letter is a capital",
            f"{board}N{number()}/": "what a line may be: one digit, no more",
            f"{board}NN4/": "what a line may be: one letter, no more",
            f"{board}{number(10, 99)}/": "what a line may be: it begins with a letter",
            f"{board}{word()}/": end,
            f"{board}N4/{word()}/": end,
            f"/{word()}{board}": begin,
            f"/{word()}{board}N4/": begin,
        },
    )


def no_route(site: Site, looks: Mapping[str, str]) -> None:
    """Raise NotYet unless the router itself refuses each path, before any consumer is called.

    looks: path → what to look at if it does not.
    """
    with ThreadPoolExecutor(len(looks)) as pool:  # at once: daphne takes a second to say 500
        refusals = [pool.submit(site.refused, path, 500, look) for path, look in looks.items()]
    for refusal in refusals:
        try:
            refusal.result()
        except NotYet as problem:
            if problem.status == 403:
                problem.look = (
                    "who refuses: a 403 comes from `connect`, and without a route nobody calls that"
                )
            raise
    paths = {event["conn"]: event["path"] for event in site.events("open")}
    for error in site.events("error"):
        if error["type"] != "ValueError" or error["file"]:  # not the router's own
            path, raised = paths[error["conn"]], f"{error['type']}: {error['message']}"
            raise NotYet(looks[path], sent=f"GET {path}", got=raised, expected="No route found")
