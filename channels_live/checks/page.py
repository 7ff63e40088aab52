"""`View`: a page and its socket, kept by fragments as htmx keeps it."""

from collections.abc import Iterator
from html.parser import HTMLParser

from channels_live.checks.client import Client
from channels_live.checks.not_yet import NotYet, shown
from channels_live.checks.site import Site

_VOID = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "wbr",
}


class Element:
    """An element of a page: its tag, its attributes, and what is in it."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element | str] = []

    @property
    def elements(self) -> "list[Element]":
        """The elements that stand in this one, not those in these."""
        return [child for child in self.children if isinstance(child, Element)]

    @property
    def text(self) -> str:
        """What a reader sees of it, with single blanks."""
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join("".join(parts).split())

    def walk(self) -> "Iterator[tuple[Element, Element]]":
        """Give each element below this one, and the one in which it stands."""
        for child in self.elements:
            yield child, self
            yield from child.walk()


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        opened = [element.tag for element in self.open]
        if tag in opened:  # else it closes nothing, as in a browser
            del self.open[len(opened) - 1 - opened[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(html: str) -> Element:
    """Return an element without a tag that holds what stands in the HTML."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    return parser.open[0]


class Page:
    """A page, changed by frames as the extension `ws` of htmx 2 changes it.

    html: what was loaded, a text.
    """

    def __init__(self, html: str) -> None:
        self.root = parse(html)

    def find(self, name: str) -> Element | None:
        """Return the element with this id, or None."""
        return next(
            (element for element, _ in self.root.walk() if element.attributes.get("id") == name),
            None,
        )

    def take(self, frame: str) -> bool:
        """Swap each element of a frame to its place. Return whether one had a place."""
        had_place = False
        for element in parse(frame).elements:
            style = element.attributes.pop("hx-swap-oob", "true")
            style, _, selector = style.partition(":")
            name = selector.removeprefix("#") or element.attributes.get("id")
            for target, parent in list(self.root.walk()):
                if name is not None and target.attributes.get("id") == name:
                    _swap(style, target, parent, element)
                    had_place = True
        return had_place


def _swap(style: str, target: Element, parent: Element, element: Element) -> None:
    place = parent.children.index(target)
    match style:
        case "true" | "outerHTML":
            parent.children[place] = element
        case "delete":
            del parent.children[place]
        case "beforeend":
            target.children += element.children
        case "afterbegin":
            target.children[:0] = element.children
        case "beforebegin":
            parent.children[place:place] = element.children
        case "afterend":
            parent.children[place + 1 : place + 1] = element.children
        case "none":
            pass
        case _:  # innerHTML, and what htmx does not know
            target.children = element.children


class View:
    """A page of a learner's site, as somebody has it open.

    client: its socket. page: its path, loaded when the View is made, as often as one likes.
    """

    def __init__(self, site: Site, client: Client, page: str, look: str) -> None:
        self.client = client
        self.page = Page(site.page(page, look).text)
        self.nowhere = ""  # tells of the newest frame, if none of it had a place in the page

    def take_in(self, look: str) -> None:
        """Take in all that has come."""
        for frame in self.client.pending(look):
            if not isinstance(frame, str):
                raise NotYet(look, sent=self.client.sent, got=frame, expected="a frame of text")
            has_place = self.page.take(frame)
            self.nowhere = "" if has_place else f"; no `id` in the page is that of {shown(frame)}"

    def element(self, name: str, look: str) -> Element:
        """Take in all that has come, and return the element with this id."""
        self.take_in(look)
        if (element := self.page.find(name)) is not None:
            return element
        got = f"the page has lost the element with the id {name}"
        raise NotYet(look, sent=self.client.sent, got=got)

    def expect(self, name: str, expected: str | list[str], look: str) -> None:
        """Raise NotYet unless an element shows this text, or its children show these."""
        element = self.element(name, look)
        got: str | list[str] = element.text
        if isinstance(expected, list):
            got = [child.text for child in element.elements]
        if got != expected:
            beside = " ".join("".join(c for c in element.children if isinstance(c, str)).split())
            if isinstance(got, list) and beside:
                got = f"{got or 'no element'}, and the text {beside}"
            seen = f"in the page's {name}: {got or 'nothing'}{self.nowhere}"
            wanted = f"in the page's {name}: {expected or 'nothing'}"
            raise NotYet(look, sent=self.client.sent, got=seen, expected=wanted)
