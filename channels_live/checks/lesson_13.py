"""What is right in the exercises of lesson 13, Reach open pages."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager

from channels_live.checks import RAISED, Client, Fits, NotYet, Site, at_once, shown, word
from channels_live.checks.frames import ENDED, has_left, read_until
from channels_live.checks.sessions import log_out, member, new_sessions

HINTS = {
    "13.1": [
        Fits(
            "who answers to patient.came",
            "How does a newcomer learn of the others? Follow `patient.came`: who answers, and to "
            "which channel? Compare with the lesson's `visitor_came`.",
        ),
        Fits(
            "who answers to patient.came",
            "`send` needs the name of a channel. The event has two names: the patient's and the "
            "channel's.",
        ),
        Fits(
            "was never awaited",
            "What does the lesson's *Watch it fail* say of a layer in a sync view? (Once you have "
            "changed any line, the check says below its answer what the log says.)",
        ),
        Fits(
            "a finally does|what the others are told when somebody goes",
            "`disconnect` does not run after an exception. What it does belongs in a `finally` "
            "around `await super().__call__(scope, receive, send)`.",
        ),
    ],
    "13.2": [
        "The consumer is like the lesson's `TopicConsumer`, with one group for everybody.",
        "The signal is like the one above it. `instance` is the topic: it has a `title` and "
        "`get_absolute_url()`.",
        "`created` is false for a topic that was there before. And `transaction.on_commit(…)` "
        "takes a function that it calls later, or never.",
    ],
    "13.3": [
        '`self.scope["user"]` is the user, or one for whom `is_authenticated` is false. '
        "`raise DenyConnection` refuses, as in the lesson's `TopicConsumer`.",
        "One group a user: which name has each user, in ASCII, and another than all others?",
        "The signal hands you the user: send to their group. In the consumer the type of that "
        "event is a method, and `await self.close(4401)` closes with a code.",
    ],
}


def check_13_1(site: Site) -> None:
    site.serve()
    anna, ben, cleo = (word() for _ in range(3))
    newcomer = "what a newcomer learns of the others: who answers to `patient.came`, and to whom"
    gone = "what the others are told when somebody goes, however that happens"
    called = "the way from the view to the clients: a view is sync, and a layer is async"

    def patient(name: str) -> AbstractContextManager[Client]:
        return site.client(f"/ws/waiting/?name={name}")

    def all_see(look: str, clients: dict[str, Client]) -> None:
        read_until({"waiting": sorted(clients)}, look, *clients.values())

    with patient(anna) as in_anna, patient(ben) as in_ben:
        both = {anna: in_anna, ben: in_ben}
        all_see(newcomer, both)
        for name in (ben, word()):
            site.page("/waiting/next/", "what `call` answers", 204, "POST", content=name)
            for client in both.values():
                client.sent = f"POST /waiting/next/: {name}"
                read_until({"called": name}, called, client)
        for leave in ("close", "abort"):
            with patient(cleo) as in_cleo:
                all_see(newcomer, {**both, cleo: in_cleo})
                getattr(in_cleo, leave)()
                in_anna.sent = in_ben.sent = "the end of another client's connection"
                all_see(gone, both)
        has_left(site)
        with patient(cleo) as in_cleo:
            all_see(newcomer, {**both, cleo: in_cleo})
            in_cleo.send("not json")
            site.forgive()
            in_anna.sent = in_ben.sent = "not json, by another client"
            all_see(ENDED, both)
            has_left(site, "a frame that is not JSON", ENDED)


def check_13_2(site: Site) -> None:
    at_once(site.migrate, site.serve)
    posted = "what this view calls: your signal is a part of it"
    way = "the way from the signal to the client: `group_send`, its group, the type, the method"
    all_of_it = "what is told of a topic: its title and its address"
    order = "which topics of a list are told: all of them, in the order of the list"
    early = "when it is told: here the topics were taken back, and you had told of them already"
    again = "which topics are told: only new ones. What does `created` say?"
    with _reasons(site), _reader(site) as anna, _reader(site) as ben:

        def post(*titles: str, status: int = 201) -> None:
            path = "/new-topic/" if len(titles) == 1 else "/new-topics/"
            site.page(path, posted, status, "POST", content="\n".join(titles))
            anna.sent = ben.sent = f"POST {path}: {', '.join(titles)}"

        def told(title: str, look: str, *readers: Client) -> None:
            event = {"title": title, "url": f"/topics/{title.lower().replace(' ', '-')}/"}
            for reader in readers:
                reader.expect(event, look, (lambda got: title in str(got), all_of_it))

        def not_told(look: str) -> None:
            for reader in (anna, ben):
                reader.expect_nothing(look)

        first, second, third, fourth = (f"{word().title()} {word()}" for _ in range(4))
        post(first)
        told(first, way, anna, ben)
        post(second, third)
        told(second, order, anna, ben)
        told(third, order, anna, ben)
        post(fourth, "???", status=400)
        not_told(early)
        post(first.upper())
        not_told(again)
        ben.abort()
        has_left(site)
        post(second.upper(), fourth)
        told(fourth, "whether all goes on as before when somebody has left", anna)


def check_13_3(site: Site) -> None:
    anna, ben = word(), word()
    (at_home, at_work, of_ben), _ = at_once(lambda: new_sessions(site, anna, anna, ben), site.serve)
    path = "/ws/private/"
    signal = "what your signal does"
    strangers = "who is let in: only who is logged in"
    you = "what a client reads that is let in: the name of its user"
    way = "the way from the signal to the sockets: the group, the type, the method, and the code"
    every = "which sockets of the user are closed: all, also those of another session"
    others = "whose sockets are closed: only those of the user who logs out"

    site.refused(path, 403, strangers)
    with member(site, path, of_ben) as in_ben:
        in_ben.expect({"you": ben}, you)
        with (
            member(site, path, at_home) as home,
            member(site, path, at_home) as home_too,
            member(site, path, at_work) as work,
        ):
            for client in (home, home_too, work):
                client.expect({"you": anna}, you)
            log_out(site, signal, None, home, home_too, work, in_ben)
            for client in (home, in_ben):
                client.expect_nothing("what the log-out of a stranger does: nothing")
            log_out(site, signal, at_home, home, home_too, work, in_ben)
            home.expect_close(4401, way)
            home_too.expect_close(4401, way)
            work.expect_close(4401, every)
        in_ben.expect_nothing(others)
        with member(site, path, of_ben) as ben_too:
            ben_too.expect({"you": ben}, you)
            ben_too.abort()
            has_left(site)
        log_out(site, signal, of_ben, in_ben)
        in_ben.expect_close(4401, way)


def _reader(site: Site) -> AbstractContextManager[Client]:
    return site.client("/ws/new-topics/")


@contextlib.contextmanager
def _reasons(site: Site) -> Iterator[None]:
    """Add to a NotYet what was raised in `on_commit(…, robust=True)`: only the log has it.

    Django asks for the function's `__qualname__` then, and raises once more for a `partial`.
    """
    try:
        yield
    except NotYet as problem:
        raised = [] if site.events("error") else RAISED.findall(site.server.log())
        if own := [words for words in raised if "__qualname__" not in words]:
            problem.more["the log says"] = shown(own[-1])
        raise
