"""What is right in the exercises of lesson 20, Make it fast."""

from channels_live.checks import Site, word

HINTS = {
    "20.1": [
        "WRITE: where to look. Send `hello` yourself, and look at `ex1.server.timeline()`.",
        "WRITE: how to do it, in words: `str.upper()` returns a text in capital letters.",
    ],
    "20.2": [
        "WRITE: where to begin: `receive` is called for each frame, and `send` answers.",
        "WRITE: how to do it, in words: `text[::-1]` is a text backwards.",
    ],
}


def check_20_1(site: Site) -> None:
    """WRITE: what must be seen from outside, with values that nobody can know beforehand."""
    site.serve()
    with site.client("/ws/answer/") as anna:
        text = f"{word()} {word()}"
        anna.send(text)
        anna.expect(
            text.upper(),
            "what comes back: the same text, all of it in capital letters",
            (text, "the capital letters: the text came back as it was"),
        )


def check_20_2(site: Site) -> None:
    """WRITE: as above; `expect` may name mistakes, and what to look at then."""
    site.serve()
    with site.client("/ws/mirror/") as anna:
        text = f"{word()} {word()}"
        anna.send(text)
        anna.expect(
            text[::-1],
            "what comes back: the same text, beginning with its last letter",
            (text, "the order of the letters: the text came back as it was"),
        )
