"""Wrong answers to the exercises of lesson 18."""

from . import Wrong

DEPARTURES, ORDERS, STEADY = "myapp/departures.py", "myapp/orders.py", "steady.py"
KNOWN = """        known = {"room": self.station, "key": key}
        message, _ = await Message.objects.aget_or_create(**known, defaults={"text": text})
"""
SEND = "        await self.channel_layer.group_send(self.group, event)\n"
LAST = """        if event["number"] > self.last:
            self.last = event["number"]
            await self.send_json({"number": event["number"], "order": event["order"]})
"""
JOIN = '        await self.channel_layer.group_add("kitchen", self.channel_name)\n'
TELL = 'await self.channel_layer.group_send("kitchen", event)\n\n    async def order_done'

WRONG = {
    "18.1": [
        Wrong(
            "begins with what was read already",
            "the last number that was read",
            DEPARTURES,
            "pk__gt=",
            "pk__gte=",
        ),
        Wrong(
            "shows what comes while it connects by both ways",
            "it comes by both ways",
            DEPARTURES,
            'if event["id"] > self.last:',
            "if True:",
        ),
        Wrong(
            "saves again what has come with this key",
            "with the same key: boards have it already",
            DEPARTURES,
            KNOWN,
            "        message = await Message.objects.acreate(room=self.station, text=text)\n",
        ),
        Wrong(
            "has one key for all stations",
            "another station may have used it",
            DEPARTURES,
            KNOWN,
            """        known = {"room": self.station, "text": text}
        message, _ = await Message.objects.aget_or_create(key=key, defaults=known)
""",
        ),
        Wrong(
            "acknowledges only what is new",
            "each time, also for a key that is known",
            DEPARTURES,
            "message, _ = await",
            "message, is_new = await",
            (
                (
                    DEPARTURES,
                    '        await self.send_json({"saved": key})',
                    '        if is_new:\n            await self.send_json({"saved": key})',
                ),
            ),
        ),
        Wrong(
            "raises for a key that is known",
            "IntegrityError",
            DEPARTURES,
            KNOWN,
            "        message = await Message.objects.acreate("
            "room=self.station, text=text, key=key)\n",
        ),
        Wrong(
            "asks first and joins then",
            "said while a board connects",
            DEPARTURES,
            "            await self.show(message.pk, message.text)\n",
            "            await self.show(message.pk, message.text)\n"
            "        await self.channel_layer.group_add(self.group, self.channel_name)\n",
            (
                (
                    DEPARTURES,
                    "        await self.channel_layer.group_add(self.group, self.channel_name)\n"
                    "        await self.accept()\n",
                    "        await self.accept()\n",
                ),
            ),
        ),
        Wrong(
            "shows what was said at all stations",
            "those of its own station",
            DEPARTURES,
            "filter(room=self.station, pk__gt",
            "filter(pk__gt",
        ),
        Wrong(
            "knows what it has shown, and not what was shown before `after`",
            "all up to that number, also what is sent again",
            DEPARTURES,
            'if event["id"] > self.last:',
            'if event["id"] not in self.shown:',
            (
                (DEPARTURES, "        self.last = number\n", "        self.shown.add(number)\n"),
                (
                    DEPARTURES,
                    '        self.last = int(query.get("after", ["0"])[0])\n',
                    '        self.shown, self.last = set(), int(query.get("after", ["0"])[0])\n',
                ),
            ),
        ),
    ],
    "18.2": [
        Wrong(
            "hands over only what is new",
            "what a kitchen reads first",
            ORDERS,
            '        async for order in Message.objects.filter(room="orders"):\n'
            '            await self.order_taken({"number": order.pk, "order": order.text})\n',
            "",
        ),
        Wrong(
            "hands over what is waiting, and forgets to join",
            "when an order is taken",
            ORDERS,
            JOIN,
            "",
        ),
        Wrong(
            "counts an order as done when it was shown",
            "what a kitchen reads first: all orders",
            ORDERS,
            '            self.last = event["number"]\n',
            '            self.last = event["number"]\n'
            '            await Message.objects.filter(pk=event["number"]).adelete()\n',
        ),
        Wrong(
            "tells only who said it",
            "what all kitchens read",
            ORDERS,
            TELL,
            "await self.order_done(event)\n\n    async def order_done",
        ),
        Wrong(
            "tells that it is done, and keeps it",
            "nobody reads of it any more",
            ORDERS,
            '        await Message.objects.filter(room="orders", pk=content["done"]).adelete()\n',
            "",
        ),
        Wrong(
            "raises for what is gone",
            "DoesNotExist",
            ORDERS,
            '        await Message.objects.filter(room="orders", pk=content["done"]).adelete()\n',
            '        order = await Message.objects.aget(room="orders", pk=content["done"])\n'
            "        await order.adelete()\n",
        ),
        Wrong(
            "gives the number another name",
            'a number and "',
            ORDERS,
            'self.send_json({"number": event["number"], "order"',
            'self.send_json({"id": event["number"], "order"',
        ),
        Wrong(
            "takes every message for an order",
            "those of the room `orders`",
            ORDERS,
            'filter(room="orders"):',
            "all():",
        ),
        Wrong(
            "shows what comes while it connects by both ways",
            "it comes by both ways",
            ORDERS,
            'if event["number"] > self.last:',
            "if True:",
        ),
        Wrong(
            "asks first and joins then",
            "it comes by both ways",
            ORDERS,
            JOIN + "        await self.accept()\n",
            "        await self.accept()\n",
            (
                (
                    ORDERS,
                    '"order": order.text})\n\n    async def order_taken',
                    '"order": order.text})\n' + JOIN + "\n    async def order_taken",
                ),
            ),
        ),
        Wrong(
            "deletes whatever has this number",
            "an order, and no other message",
            ORDERS,
            'filter(room="orders", pk=content["done"])',
            'filter(pk=content["done"])',
        ),
    ],
    "18.3": [
        Wrong(
            "comes back whatever it is told",
            "the server has told it to stay away",
            STEADY,
            "if code == 1008 or (code and 4400 <= code < 4500):",
            "if code == 1008:",
        ),
        Wrong(
            "stays away from 4000 on",
            "all but 1008 and 4400 to 4499",
            STEADY,
            "4400 <= code < 4500",
            "4000 <= code < 5000",
        ),
        *(
            Wrong(
                f"stays away after HTTP {status}",
                f"the end of the program after HTTP {status}",
                STEADY,
                "        except (InvalidHandshake, OSError):\n",
                "        except InvalidStatus as refused:\n"
                f"            if refused.response.status_code == {status}:\n"
                "                code = 1008  # not for us\n"
                "        except (InvalidHandshake, OSError):\n",
                ((STEADY, "Handshake, connect", "Handshake, InvalidStatus, connect"),),
            )
            for status in (401, 403)
        ),
        Wrong(
            "does not expect to be refused",
            "InvalidStatus",
            STEADY,
            "except (InvalidHandshake, OSError):",
            "except OSError:",
        ),
        Wrong(
            "does not expect an end",
            "ConnectionClosedError",
            STEADY,
            "except ConnectionClosed:",
            "except OSError:",
        ),
        Wrong(
            "begins anew each time",
            "`?after=` and the last number",
            STEADY,
            "        before, code = self.last, None\n",
            "        self.last = 0\n        before, code = self.last, None\n",
        ),
        Wrong(
            "prints what comes twice",
            "each message once",
            STEADY,
            'if message.get("id", 0) > self.last:',
            'if "id" in message:',
        ),
        Wrong(
            "forgets what it has read",
            "`?after=` and the last number",
            STEADY,
            '            self.last = message["id"]\n',
            "",
        ),
        Wrong(
            "expects a number in each frame",
            "KeyError: 'id', in steady.py",
            STEADY,
            'message.get("id", 0)',
            'message["id"]',
        ),
        Wrong(
            "expects a close frame at each end",
            "an exception of its own has ended it",
            STEADY,
            "                except ConnectionClosed:\n"
            "                    code = websocket.close_code",
            "                except ConnectionClosed as closed:\n"
            "                    code = closed.rcvd.code",
        ),
        Wrong(
            "takes an accident for an end",
            "1 connection, and the end",
            STEADY,
            "if code == 1008 or",
            "if code in (1008, 1011) or",
        ),
        Wrong(
            "knocks again at once",
            "how long your program waits",
            STEADY,
            "await asyncio.sleep(wait * random.uniform(0.8, 1.2))",
            "await asyncio.sleep(0)",
        ),
        Wrong(
            "always waits as long",
            "how long your program waits",
            STEADY,
            "wait = first if anything_new else min(2 * wait, 30)",
            "wait = first",
        ),
        Wrong(
            "does not begin anew",
            "as at the beginning",
            STEADY,
            "wait = first if anything_new else min(2 * wait, 30)",
            "wait = wait if anything_new else min(2 * wait, 30)",
        ),
        Wrong(
            "begins anew wherever it is let in",
            "about twice as long after each attempt in vain",
            STEADY,
            "return code, self.last > before",
            "return code, bool(code) or self.last > before",
        ),
    ],
}
