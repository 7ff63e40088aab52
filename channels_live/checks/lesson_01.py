"""What is right in the exercises of lesson 1, Install Channels and daphne."""

import random
import re

from channels_live.checks import Fits, NotYet, Site, word
from channels_live.server.ports import free_port

HINTS = {
    "1.1": [
        'Start the command yourself: `ex1.start("daphne -p 8000 mysite.asgi.app")`. '
        "It names one mistake at a time.",
        Fits(
            "not enough values",
            "After the port, `daphne` wants a module, a colon, and a name in that module.",
        ),
        Fits(
            "No module named|has no attribute",
            "The module is the file `asgi.py` in the folder `myproject`. "
            "Open it: which name does its last line give to the application?",
        ),
        "`web: daphne -p 8000 myproject.asgi:…`, and behind the colon the name that you found.",
    ],
    "1.2": [
        "The client cells of the lesson do most of it. Begin with "
        '`async with connect(address):` and `return "open"` in that block.',
        "For a refusal, catch `InvalidStatus`, as in the lesson. "
        "The number is in `refused.response.status_code`.",
        "Where nobody listens, Python raises `ConnectionRefusedError`. It is an `OSError`.",
        "One `try:` around the `async with`, then two `except`, and each returns its text.",
    ],
}


def check_1_1(site: Site) -> None:
    file = site.folder / "Procfile"
    lines = file.read_text("utf-8", "replace").splitlines() if file.is_file() else []
    commands = [line.removeprefix("web:").strip() for line in lines if line.startswith("web:")]
    expected = "web: daphne …"
    if len(commands) != 1:
        look = "`Procfile`: just one line has to begin with `web:`, in small letters"
        raise NotYet(look, got="\n".join(lines) or "an empty file", expected=expected)
    command = commands[0].removeprefix("python -m ")
    if command.split()[:1] != ["daphne"]:
        look = "which server the line starts: it has to speak ASGI"
        if "daphne" in command:
            look = "what comes after `web:`: the command as in a terminal, and nothing around it"
        raise NotYet(look, got=f"web: {command}", expected=expected)
    server = site.serve(command, "the message above: it names one mistake at a time")
    if server.typed_port != 8000:
        look = "the number behind `-p`"
        raise NotYet(look, sent=command, got=f"port {server.typed_port}", expected="port 8000")
    site.page("/accounts/login/", "which application that is: there is one in `wsgi.py` too")


def check_1_2(site: Site) -> None:
    page, status = word(), random.choice([401, 403, 410, 418, 429, 451, 503])
    with (site.folder / "myproject/urls.py").open("a", encoding="utf-8") as urls:
        urls.write("\nfrom django.http import HttpResponse\n")
        urls.write(f"urlpatterns.append(path('{page}/', lambda r: HttpResponse(status={status})))")
    plain = site.serve("python manage.py runserver --noreload")
    door = site.serve("daphne -p 0 door:application")
    answers = {
        door.ws(f"/{word()}/"): "open",
        plain.ws(f"/ws/{word()}/"): "refused with 404",
        plain.ws("/accounts/login/"): "refused with 200",
        plain.ws(f"/{page}/"): f"refused with {status}",
        f"ws://127.0.0.1:{free_port()}/": "nobody there",
        door.ws("/"): "open",
    }
    try:
        _, output = site.python("-u", "-W", "ignore", "knock.py", *answers, limit=10.0)
    except NotYet as endless:
        look = "whether `knock` waits for a frame: an open socket may stay silent for ever"
        sent = f"python knock.py {next(iter(answers))} …"
        raise NotYet(look, sent=sent, got=endless.got) from None
    lines = output.splitlines()
    for at, (address, answer) in enumerate(answers.items()):
        line = lines[at] if at < len(lines) else "no line"
        if line == answer:
            continue
        look = "whether `knock` returns a text in every case, and nothing else is printed"
        if line.startswith(("Traceback", '  File "')):
            place = re.findall(r'knock\.py", (line \d+)', output)[-1:]
            line = ", ".join([lines[-1], *place])
            look = "this exception, and the line that raises it"
            if line.startswith(("websockets.", "ConnectionRefusedError", "OSError")):
                look = "this exception, which ends the tool: it is to be caught"
        elif "HTTP" in line:
            look = "how to get at the number alone: `refused.response.status_code`"
        elif line.startswith("<coroutine"):
            look = "where `main` calls `knock`: it has to be awaited"
        elif line in ("open", "nobody there"):
            look = "which exception `connect` raises in this case"
        elif answer.split()[-1] in line.lower():
            look = "the words: those of the goal, and nothing else on the line"
        elif line.startswith("refused"):
            look = "where the number comes from: the server's answer, `refused.response`, has it"
        raise NotYet(look, sent=f"python knock.py {address}", got=line, expected=answer)
    if len(lines) > len(answers):
        raise NotYet("what is printed: one line for each address", got=lines[len(answers)])
    codes = {event["code"] for event in site.events("close")}
    if not codes or None in codes:  # gone without a close frame
        look = "how `knock` leaves an open connection: the end of `async with` closes it"
        sent = f"python knock.py {next(iter(answers))}"
        raise NotYet(look, sent=sent, got="the connection was dropped", expected="it was closed")
