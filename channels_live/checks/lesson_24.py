"""What is right in the exercises of lesson 24, Send fragments."""

from channels_live.checks import Client, Fits, NotYet, Site, at_once, number, word
from channels_live.checks.page import View

HINTS = {
    "24.1": [
        Fits(
            "the text as it was written",
            'Write `Fish & chips` into the book, then `<b>Soup</b>`, then a text with a `"` in '
            "it. Which of them does the list show as they are, and which does the `title` hold?",
        ),
        Fits(
            "changes nothing there|no element, and the text",
            "`format_html` of `django.utils.html` makes HTML out of a pattern with `{}` in it. "
            "What takes the place of a `{}` is escaped, but for what `format_html` has made "
            "before.",
        ),
        Fits(
            "every entry once|see each entry once|added at the end|in which they were written",
            "Whoever comes back has the list already. A fragment with `innerHTML` replaces what "
            "is in it: so send all entries in one such fragment, and only new ones with "
            "`beforeend`.",
        ),
    ],
    "24.2": [
        Fits(
            "refusal in that page, only|that of who has made it, only",
            "Which of the three places is for all pages, and which for one? What goes to all "
            "goes by the group `auction`; what goes to one is sent where its frame came in.",
        ),
        "A frame may hold several fragments, one after the other. "
        '`<strong id="price" hx-swap-oob="true">` replaces the price.',
        Fits(
            "the price, and every bid once|as the price and as a last item",
            "Write one method that sends price and bids as they are now, with `innerHTML` for "
            "the list. Call it in `connect`, and as the method of the event.",
        ),
    ],
    "24.3": [
        Fits(
            "who else is writing",
            "Each page is shown something else. So let the event say only that something has "
            "changed, and let each consumer make its own fragment.",
        ),
        Fits(
            "in the order of the alphabet|somebody is writing no more",
            "Keep `WRITING[self.channel_name] = name`, and take it out with an empty text. A "
            "page shows the names of all other channels, `sorted`.",
        ),
        Fits(
            r"who is writing already|\(closed\)|\(failed\)",
            "Whoever comes is sent the fragment in `connect`. Whoever goes is taken out in a "
            "`finally` around `super().__call__(scope, receive, send)`, and the others are told.",
        ),
    ],
}
AS_TYPED = "what a reader finds: the text as it was written, character by character"
ELSEWHERE = "the rest of the page: a text that somebody writes changes nothing there"


def nasty() -> list[str]:
    """Return texts that no page should take for its own HTML, other ones each time."""
    return [
        f'</li></ul></ol></span><h1 id="title" hx-swap-oob="true">{word()}</h1>',
        f"<b>{word()}</b>",
        f"{word()} & {word()} &amp; {word()}",
        f"\"{word()}\" or '{word()}'",
    ]


def check_24_1(site: Site) -> None:
    at_once(site.migrate, site.serve)
    adds = "what an entry does: it is added at the end, in all pages that are open"
    comes = "what whoever comes is shown: every entry once, in the order in which they were written"
    back = "what whoever comes back is shown: they have the list already, and see each entry once"
    written: list[str] = []

    def write(client: Client, text: str, *views: View) -> None:
        client.send({"text": text})
        written.append(text)
        for view in views:
            view.client.sent = client.sent

    def reads(view: View, look: str) -> None:
        view.take_in(look)
        view.expect("title", "Guests", ELSEWHERE)
        entries = view.element("guests", look).elements
        if len(entries) == len(written):
            for entry, text in zip(entries, written, strict=True):
                title = entry.attributes.get("title")
                in_place = entry.text == title == text and not entry.elements
                elsewhere = entry.text == title and title in written and not entry.elements
                if entry.tag == "li" and not in_place and not elsewhere:
                    got = f"title: {title}, text: {entry.text}"
                    raise NotYet(AS_TYPED, sent=view.client.sent, got=got, expected=text)
        view.expect("guests", written, look)

    with site.client("/ws/guests/") as first, site.client("/ws/guests/") as second:
        views = [View(site, client, "/guests/", comes) for client in (first, second)]
        for text in (word(), word(), *nasty()):
            write(first, text, *views)
            for view in views:
                reads(view, adds)
    with site.client("/ws/guests/") as late:
        view = View(site, late, "/guests/", comes)
        reads(view, comes)
        for _ in range(2):
            with site.client("/ws/guests/", back) as view.client:
                reads(view, back)
                write(view.client, word(), view)
                reads(view, adds)


def check_24_2(site: Site) -> None:
    site.serve()
    path, page = "/ws/auction/", "/auction/"
    comes = "what whoever comes is shown: the price, and every bid once"
    back = "what whoever comes back is shown: they have the bids already, and see each one once"
    all_see = "what all pages show after a bid that is higher: it, as the price and as a last item"
    refused = "what a bid that is no more than the highest changes: `refusal` in that page, only"
    cleared = "what becomes of `refusal` in the page of somebody whose bid was taken: it is empty"
    high = number(10, 50)
    shown: list[str] = []

    def same(look: str, *views: View) -> None:
        for view in views:
            view.take_in(look)
            view.expect("title", "A bicycle", ELSEWHERE)
            view.expect("price", str(high if shown else 0), look)
            view.expect("bids", shown, look)

    def bid(view: View, what: str, *others: View, name: str | None = None) -> str:
        name = name or word()
        view.client.send({"name": name, "bid": what})
        for other in others:
            other.client.sent = view.client.sent
        return name

    with site.client(path) as first, site.client(path) as second:
        anna, ben = (View(site, client, page, comes) for client in (first, second))
        same(comes, anna, ben)
        for name in (None, None, *nasty()):
            high += number(1, 50)
            shown.append(f"{bid(anna, str(high), ben, name=name)}: {high}")
            same(AS_TYPED if name else all_see, anna, ben)
        for what in (str(high), str(high - 1), "-5", "1.5", f"{high}0 and more", ""):
            bid(ben, what, anna)
            if not ben.element("refusal", refused).text:
                got, expected = f"none{ben.nowhere}", "some words in the page's refusal"
                raise NotYet(refused, sent=ben.client.sent, got=got, expected=expected)
            anna.expect("refusal", "", refused)
            same(refused, anna, ben)
        high += 1
        shown.append(f"{bid(ben, str(high), anna)}: {high}")
        ben.expect("refusal", "", cleared)
        same(all_see, anna, ben)
        bid(ben, "0", anna)
        high += 1
        shown.append(f"{bid(anna, str(high), ben)}: {high}")
        if not ben.element("refusal", refused).text:
            look = "whose `refusal` a bid empties that is taken: that of who has made it, only"
            raise NotYet(look, sent=anna.client.sent, got="none", expected="the words of before")
        same(all_see, anna, ben)
    with site.client(path) as late:
        view = View(site, late, page, comes)
        same(comes, view)
    for _ in range(2):
        with site.client(path, back) as view.client:
            same(back, view)


def check_24_3(site: Site) -> None:
    site.serve()
    path, page = "/ws/desk/", "/desk/"
    others = "what a page shows: who else is writing, in the order of the alphabet"
    stops = "what an empty text means: that somebody is writing no more"
    comes = "what whoever comes is shown: who is writing already"
    leaves = "what becomes of somebody who leaves, however that is: they are writing no more"
    secret = "what is sent of a text that somebody writes: nothing, in no page"
    names = sorted(word() for _ in range(3))

    def write(view: View, name: str, text: str, *readers: View) -> None:
        view.client.send({"name": name, "text": text})
        for reader in readers:
            reader.client.sent = view.client.sent

    def see(view: View, look: str, *writing: str) -> None:
        view.take_in(look)
        view.expect("title", "Desk", ELSEWHERE)
        view.expect("writing", ", ".join(writing), look)

    clients = [site.client(path) for _ in names]
    with clients[0] as one, clients[1] as two, clients[2] as three:
        anna, ben, cleo = views = [View(site, client, page, comes) for client in (one, two, three)]
        for view in views:
            see(view, comes)
        for view, name in zip(views[::-1], names[::-1], strict=True):
            write(view, name, text := word(), *views)
            for reader in views:
                for frame in reader.client.pending(secret):
                    if text in str(frame):
                        raise NotYet(secret, sent=reader.client.sent, got=frame)
                    reader.page.take(str(frame))
        see(anna, others, names[1], names[2])
        see(ben, others, names[0], names[2])
        see(cleo, others, names[0], names[1])
        with site.client(path) as late:
            see(View(site, late, page, comes), comes, *names)
        write(ben, names[1], "", anna, cleo)
        see(anna, stops, names[2])
        see(ben, stops, names[0], names[2])
        for name in nasty():
            write(ben, name, word(), anna)
            see(anna, AS_TYPED, *sorted([name, names[2]]))
        for way in ("closed", "cut", "failed"):
            with site.client(path) as leaving:
                gone = View(site, leaving, page, comes)
                write(gone, name := word(), word(), anna)
                write(ben, names[1], "", anna)
                see(anna, others, *sorted([name, names[2]]))
                if way == "closed":
                    leaving.close()
                elif way == "cut":
                    leaving.abort()
                else:
                    leaving.send("this is no JSON")
                    leaving.expect_close(1011, "what a frame that is no JSON does: it raises")
                    site.forgive()
            anna.client.sent = f"the end of a connection ({way})"
            see(anna, f"{leaves} ({way})", names[2])
