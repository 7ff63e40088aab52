"""Wrong answers to the exercises of lesson 24."""

from . import Wrong

GUESTS, AUCTION, DESK = "myapp/guests.py", "myapp/auction.py", "myapp/desk.py"
IMPORT = "from django.utils.html import format_html, format_html_join\n"
PAIRS = "        pairs = [(text, text) for text in texts]\n"
REPLACES = 'id="bids" hx-swap-oob="innerHTML"'
LEAVE = """        finally:
            await self.channel_layer.group_discard("desk", self.channel_name)
            await self.set("")
"""

WRONG = {
    "24.1": [
        Wrong(
            "escapes what people write most, and not the rest",
            "the text as it was written",
            GUESTS,
            PAIRS,
            '        texts = [text.replace("<", "&lt;") for text in texts]\n'
            "        pairs = [(mark_safe(text), mark_safe(text)) for text in texts]\n",
            ((GUESTS, IMPORT, f"{IMPORT}from django.utils.safestring import mark_safe\n"),),
        ),
        Wrong(
            "escapes twice",
            "the text as it was written",
            GUESTS,
            PAIRS,
            "        pairs = [(escape(text), escape(text)) for text in texts]\n",
            ((GUESTS, IMPORT, f"from html import escape\n\n{IMPORT}"),),
        ),
        Wrong(
            "takes the tags out",
            "the text as it was written",
            GUESTS,
            PAIRS,
            "        pairs = [(strip_tags(text), strip_tags(text)) for text in texts]\n",
            ((GUESTS, IMPORT, f"{IMPORT}from django.utils.html import strip_tags\n"),),
        ),
        Wrong(
            "trusts what is written",
            "a text that somebody writes changes nothing there",
            GUESTS,
            PAIRS,
            "        pairs = [(text, mark_safe(text)) for text in texts]\n",
            ((GUESTS, IMPORT, f"{IMPORT}from django.utils.safestring import mark_safe\n"),),
        ),
        Wrong(
            "forgets the title",
            "the text as it was written",
            GUESTS,
            PAIRS,
            "        pairs = [(mark_safe(text), text) for text in texts]\n",
            ((GUESTS, IMPORT, f"{IMPORT}from django.utils.safestring import mark_safe\n"),),
        ),
        Wrong(
            "adds what is there already",
            "see each entry once",
            GUESTS,
            'self.show("innerHTML", texts)',
            'self.show("beforeend", texts)',
        ),
        Wrong(
            "sends only what is new",
            "every entry once",
            GUESTS,
            '        await self.show("innerHTML", texts)\n',
            "",
        ),
        Wrong(
            "replaces the list by what is new",
            "it is added at the end",
            GUESTS,
            'self.show("beforeend", [event["text"]])',
            'self.show("innerHTML", [event["text"]])',
        ),
        Wrong(
            "joins what is marked as safe, and so loses the mark",
            "no element, and the text <li title=",
            GUESTS,
            'entries = format_html_join("", \'<li title="{}">{}</li>\', pairs)',
            'entries = "".join(format_html(\'<li title="{}">{}</li>\', *pair) for pair in pairs)',
        ),
        Wrong(
            "adds at the beginning", "it is added at the end", GUESTS, '"beforeend"', '"afterbegin"'
        ),
        Wrong(
            "shows whoever comes the newest first",
            "in the order in which they were written",
            GUESTS,
            'filter(room="guests")]',
            'filter(room="guests").order_by("-pk")]',
        ),
        Wrong(
            "does not say where it belongs",
            "no `id` in the page is that of <ul hx-swap-oob",
            GUESTS,
            '<ul id="guests" hx-swap-oob',
            "<ul hx-swap-oob",
        ),
        Wrong(
            "sends a fragment as JSON",
            'no `id` in the page is that of "<ul',
            GUESTS,
            "await self.send(text_data=format_html(fragment, swap, entries))",
            "await self.send_json(format_html(fragment, swap, entries))",
        ),
    ],
    "24.2": [
        Wrong(
            "refuses in all pages",
            "`refusal` in that page, only",
            AUCTION,
            '            await self.refuse("Please bid a whole number that is more.")\n',
            """            await self.channel_layer.group_send("auction", {"type": "bid.refused"})

    async def bid_refused(self, event):
        await self.refuse("Please bid a whole number that is more.")
""",
        ),
        Wrong(
            "leaves the refusal where it is",
            "it is empty",
            AUCTION,
            '            await self.refuse("")\n',
            "",
        ),
        Wrong(
            "empties the refusal of everybody",
            "that of who has made it, only",
            AUCTION,
            "    async def bid_made(self, event=None):\n",
            '    async def bid_made(self, event=None):\n        await self.refuse("")\n',
        ),
        Wrong(
            "adds all bids to those that are there",
            "it, as the price and as a last item",
            AUCTION,
            REPLACES,
            'id="bids" hx-swap-oob="beforeend"',
        ),
        Wrong(
            "tells only who has made it",
            "it, as the price and as a last item",
            AUCTION,
            'await self.channel_layer.group_send("auction", {"type": "bid.made"})',
            "await self.bid_made()",
        ),
        Wrong(
            "sends nothing to whoever comes",
            "the price, and every bid once",
            AUCTION,
            "        await self.bid_made()\n",
            "",
        ),
        Wrong(
            "has no place for the price",
            "it, as the price and as a last item",
            AUCTION,
            '<strong id="price" hx-swap-oob="true">',
            '<strong hx-swap-oob="true">',
        ),
        Wrong(
            "escapes nothing",
            "a text that somebody writes changes nothing there",
            AUCTION,
            'format_html_join("", "<li>{}: {}</li>", BIDS)',
            'mark_safe("".join(f"<li>{name}: {bid}</li>" for name, bid in BIDS))',
            (
                (
                    AUCTION,
                    IMPORT,
                    f"{IMPORT}from django.utils.safestring import mark_safe\n",
                ),
            ),
        ),
        Wrong(
            "names a method that is not there",
            "first the exception below; then what all pages show after a bid",
            AUCTION,
            '"type": "bid.made"',
            '"type": "bid.taken"',
        ),
        Wrong(
            "does not say where the refusal belongs",
            "none; no `id` in the page is that of <p hx-swap-oob",
            AUCTION,
            '<p id="refusal" hx',
            "<p hx",
        ),
    ],
    "24.3": [
        Wrong(
            "shows one's own name",
            "who else is writing",
            DESK,
            "[name for channel, name in WRITING.items() if channel != self.channel_name]",
            "list(WRITING.values())",
        ),
        Wrong(
            "keeps the order in which they began",
            "in the order of the alphabet",
            DESK,
            "sorted(names)",
            "names",
        ),
        Wrong(
            "never stops",
            "somebody is writing no more",
            DESK,
            'content["name"] if content["text"] else ""',
            'content["name"]',
        ),
        Wrong(
            "takes out in disconnect",
            "(failed)",
            DESK,
            LEAVE,
            """        finally:
            await self.channel_layer.group_discard("desk", self.channel_name)

    async def disconnect(self, close_code):
        await self.set("")
""",
        ),
        Wrong(
            "forgets who leaves",
            "(closed)",
            DESK,
            LEAVE,
            """        finally:
            await self.channel_layer.group_discard("desk", self.channel_name)
""",
        ),
        Wrong(
            "tells nothing to whoever comes",
            "who is writing already",
            DESK,
            "        await self.accept()\n        await self.writing_changed()\n",
            "        await self.accept()\n",
        ),
        Wrong(
            "sends the text too",
            "of a text that somebody writes: nothing",
            DESK,
            'await self.set(content["name"] if content["text"] else "")',
            """await self.set(content["name"] if content["text"] else "")
        event = {"type": "text.changed", "text": content["text"]}
        await self.channel_layer.group_send("desk", event)

    async def text_changed(self, event):
        await self.send(text_data=format_html("<p hidden>{}</p>", event["text"]))
""",
        ),
        Wrong(
            "trusts a name",
            "a text that somebody writes changes nothing there",
            DESK,
            'format_html(fragment, ", ".join(sorted(names)))',
            'fragment.format(", ".join(sorted(names)))',
        ),
    ],
}
