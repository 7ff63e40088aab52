"""What is right in the exercises of lesson 16, Know your members."""

from channels_live.checks import Fits, NotYet, Site, at_once, word
from channels_live.checks.frames import expect_error, has_left
from channels_live.checks.sessions import log_out, member, new_sessions

HINTS = {
    "16.1": [
        "What ends a *connection*? Compare with the lesson's `force_close`.",
        'What is `self.scope["session"]`, and what stands in the event? Print both.',
        Fits(
            "when nobody was logged in",
            "A log-out of nobody: what does the signal hand over as `user`?",
        ),
    ],
    "16.2": [
        "`get_user(self.scope)` asks the database who this is now. It needs `await`.",
        "Of somebody who is not active, it makes a user for whom `is_authenticated` is false.",
        '`await session.aexists(session.session_key)`, with `self.scope["session"]`, tells '
        "whether somebody has logged out.",
    ],
    "16.3": [
        "Begin with the lesson's `MemberConsumer`: a group for each user, and 4401 for strangers.",
        "Which window has sent it? Each consumer has its own `self.channel_name`; put it into the "
        "event, and compare.",
        "Check what came with `isinstance`, and build the event yourself, key by key.",
    ],
}

MEMBERS = "who is let in: only who is logged in"


def check_16_1(site: Site) -> None:
    anna, ben = word(), word()
    (at_home, at_work, of_ben), _ = at_once(lambda: new_sessions(site, anna, anna, ben), site.serve)
    path = "/ws/safe/"
    answer = "what a client reads, and what its frames are answered with"
    view = "what your signal does when nobody was logged in"
    ends = "what ends the sockets of the session that is logged out, and with which code"
    goes_on = "whose sockets end: only those of the session that is logged out"

    site.refused(path, 403, MEMBERS)
    with (
        member(site, path, at_home) as home,
        member(site, path, at_home) as home_too,
        member(site, path, at_work) as work,
        member(site, path, of_ben) as in_ben,
    ):
        everybody = (home, home_too, work, in_ben)

        def answers(look: str, *clients: object) -> None:
            for client in everybody:
                if client in clients:
                    key = word()
                    client.send({"open": key})
                    client.expect({"opened": key}, look)

        for client, name in zip(everybody, (anna, anna, anna, ben), strict=True):
            client.expect({"safe": name}, answer)
        answers(answer, *everybody)
        log_out(site, view, None, *everybody)
        answers(goes_on, *everybody)
        log_out(site, "what your signal does", at_home, *everybody)
        answers(goes_on, in_ben, work)
        for client in (home, home_too):
            client.expect_close(4401, ends)
        work.abort()
        has_left(site)


def check_16_2(site: Site) -> None:
    anna, ben = word(), word()
    (of_anna, of_ben), _ = at_once(lambda: new_sessions(site, anna, ben), site.serve)
    path = "/ws/keys/"
    now = 'what the user is *now*: `scope["user"]` is from the handshake'
    stays = "what a member gets who is not staff: an error, and the connection stays"
    gone = "who gets no key any more: somebody who is gone, and is closed with 4401"
    ended = "whether the session is still there: after a log-out there is none"
    own = 'what is answered to staff: `{"key": …}`, with the key that was asked for'
    closed = "what your method does when it has closed: nothing more. `close` does not end it"

    def becomes(name: str, role: str) -> None:
        site.page("/office/", "whether myapp/office.py is as it was", 204, "POST",
                  content=f"{name} {role}")  # fmt: skip

    site.refused(path, 403, MEMBERS)
    with member(site, path, of_anna) as in_anna, member(site, path, of_ben) as in_ben:

        def gets(key: str) -> None:
            in_anna.send({"key": key})
            in_anna.expect({"key": key}, now, (lambda got: _has(got, key=key), own))

        in_anna.send({"key": word()})
        expect_error(in_anna, stays)
        becomes(anna, "staff")
        gets(word())
        becomes(anna, "member")
        in_anna.send({"key": word()})
        expect_error(in_anna, now)
        becomes(anna, "staff")
        becomes(ben, "staff")
        gets(word())
        becomes(anna, "gone")
        in_anna.send({"key": "cellar"})
        in_anna.expect_close(4401, gone)
        log_out(site, "whether the site still works", of_ben)
        in_ben.send({"key": "cellar"})
        in_ben.expect_close(4401, ended)
    if site.errors():
        raise NotYet(closed, sent=in_ben.sent, got="an exception")


def check_16_3(site: Site) -> None:
    ben = word()
    anna = f"{ben}中"  # without what a group's name cannot have, they would be one
    (at_home, at_work, of_ben), _ = at_once(lambda: new_sessions(site, anna, anna, ben), site.serve)
    path = "/ws/draft/"
    told = "what a stranger gets: let in, and then closed with a code that says why"
    others = "which windows read a draft: all others of the same member, with any session"
    itself = "the window that has sent: it has the draft already, and reads nothing"
    private = "who reads a draft: only windows of the same member"
    own_words = "what goes into event and frame: only the draft, whatever else the client sends"
    bad = "what a frame is answered with that has no draft, or one that is no text"

    with site.client(path, "what a stranger gets: accept first, and then close") as stranger:
        stranger.expect_close(4401, told)
    with (
        member(site, path, at_home) as home,
        member(site, path, at_work) as work,
        member(site, path, of_ben) as in_ben,
    ):

        def shares(frame: dict[str, str], look: str) -> None:
            home.send(frame)
            work.sent = in_ben.sent = f"{home.sent!s}, by another window"
            draft = frame["draft"]
            work.expect({"draft": draft}, look, (lambda got: _has(got, draft=draft), own_words))
            home.expect_nothing(itself)
            in_ben.expect_nothing(private)

        draft = {"draft": f"{word()} {word()}"}
        shares(draft, others)
        work.send(draft)
        home.sent = f"{work.sent!s}, by another window"
        home.expect(draft, "which window has sent a draft: two may send the same text")
        work.expect_nothing(itself)
        for frame in ([word()], {word(): word()}, {"draft": 7}, {"draft": None}):
            home.send(frame)
            expect_error(home, bad)
            work.sent = f"{home.sent!s}, by another window"
            work.expect_nothing(bad)
        shares({"draft": word(), "type": "websocket.close", "sender": word()}, own_words)
        shares({"draft": ""}, "an empty draft: it is a text too")
        with member(site, path, at_home) as gone:
            gone.abort()
        has_left(site)
        shares({"draft": word()}, others)


def _has(got: object, **content: str) -> bool:
    """Tell whether what a frame says has this, and maybe more."""
    return isinstance(got, dict) and content.items() <= got.items()
