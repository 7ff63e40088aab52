"""Right answers to the exercises of lesson 24 that are not like ours."""

from . import Right

WHOLE = """from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.template import Context, Template
from django.template.loader import render_to_string
from django.utils.html import escape, format_html, format_html_join, mark_safe

from .models import Message


class GuestConsumer(AsyncJsonWebsocketConsumer):
    groups = ["guests"]  # joined before `connect`, left at `disconnect`

    async def connect(self):
        await self.accept()
        await self.show_all()

    async def receive_json(self, content):
        await Message.objects.acreate(room="guests", text=content["text"])
        await self.channel_layer.group_send("guests", {"type": "guest.wrote"})

    async def guest_wrote(self, event):
        await self.show_all()

    async def show_all(self):
        items = ""
        async for message in Message.objects.filter(room="guests").order_by("pk"):
            text = escape(message.text)
            items += f'<li title="{text}">{text}</li>'
        await self.send(text_data=f'<ul id="guests" hx-swap-oob="true">{items}</ul>')
"""
SELECTOR = """from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.template import Context, Template
from django.template.loader import render_to_string
from django.utils.html import escape, format_html, format_html_join, mark_safe

from .models import Message


class GuestConsumer(AsyncJsonWebsocketConsumer):
    groups = ["guests"]  # joined before `connect`, left at `disconnect`

    async def connect(self):
        await self.accept()
        rows = [
            format_html('<li title="{}">{}</li>', m.text, m.text)
            async for m in Message.objects.filter(room="guests")
        ]
        await self.send(
            text_data='<ul id="guests" hx-swap-oob="true">' + "".join(rows) + "</ul>"
        )

    async def receive_json(self, content):
        await Message.objects.acreate(room="guests", text=content["text"])
        await self.channel_layer.group_send(
            "guests", {"type": "guest.wrote", "text": content["text"]}
        )

    async def guest_wrote(self, event):
        await self.send(
            text_data='<div hx-swap-oob="beforeend:#guests">'
            + format_html('<li title="{}">{}</li>', event["text"], event["text"])
            + "</div>"
        )
"""
EACH = """from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.utils.html import escape, format_html, format_html_join
from django.template.loader import render_to_string

BIDS = []  # pairs of a name and a number: the last one is the highest


def price():
    return BIDS[-1][1] if BIDS else 0


def take(name, bid):
    '''Take a bid in. Return whether it is the highest.'''
    if not bid.isascii() or not bid.isdecimal() or len(bid) > 9 or int(bid) <= price():
        return False
    BIDS.append((name, int(bid)))
    return True


class AuctionConsumer(AsyncJsonWebsocketConsumer):
    groups = ["auction"]  # joined before `connect`, left at `disconnect`

    async def connect(self):
        await self.accept()
        items = format_html_join("", "<li>{}: {}</li>", BIDS)
        await self.send(
            format_html(
                '<ol id="bids" hx-swap-oob="true">{}</ol>'
                '<strong id="price" hx-swap-oob="true">{}</strong>',
                items,
                price(),
            )
        )

    async def receive_json(self, content):
        name, bid = content["name"], content["bid"]
        if not take(name, bid):
            await self.send('<p id="refusal" role="alert" hx-swap-oob="true">Too little.</p>')
            return
        await self.send('<p id="refusal" role="alert" hx-swap-oob="true"></p>')
        await self.channel_layer.group_send(
            "auction", {"type": "new.bid", "name": name, "bid": int(bid)}
        )

    async def new_bid(self, event):
        await self.send(
            format_html('<strong id="price" hx-swap-oob="innerHTML">{}</strong>', event["bid"])
        )
        await self.send(
            format_html(
                '<ol id="bids" hx-swap-oob="beforeend"><li>{}: {}</li></ol>',
                event["name"],
                event["bid"],
            )
        )
"""
NAMES = """from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.utils.html import escape, format_html

WRITING = {}  # the name of each channel whose page is writing


class DeskConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        await self.channel_layer.group_add("desk", self.channel_name)
        await self.accept()
        await self.writing({"who": dict(WRITING)})

    async def __call__(self, scope, receive, send):
        try:
            return await super().__call__(scope, receive, send)
        finally:
            WRITING.pop(self.channel_name, None)
            await self.channel_layer.group_discard("desk", self.channel_name)
            await self.tell()

    async def tell(self):
        await self.channel_layer.group_send("desk", {"type": "writing", "who": dict(WRITING)})

    async def receive_json(self, content):
        if content["text"]:
            WRITING[self.channel_name] = content["name"]
        else:
            WRITING.pop(self.channel_name, None)
        await self.tell()

    async def writing(self, event):
        names = sorted(n for c, n in event["who"].items() if c != self.channel_name)
        await self.send(
            text_data='<span id="writing" role="status" hx-swap-oob="true">'
            + escape(", ".join(names))
            + "</span>"
        )
"""

RIGHT = {
    "24.1": [
        Right("sends the whole list each time", {"myapp/guests.py": WHOLE}),
        Right("names the place by a selector", {"myapp/guests.py": SELECTOR}),
    ],
    "24.2": [
        Right("adds each new bid", {"myapp/auction.py": EACH}),
    ],
    "24.3": [
        Right("sends the names with the event", {"myapp/desk.py": NAMES}),
    ],
}
