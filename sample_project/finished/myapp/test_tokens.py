from datetime import timedelta

from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.test import TransactionTestCase
from django.utils import timezone

from myapp.models import Token
from myapp.tokens import digest_of, new_token
from myproject.asgi import application


class TokenTests(TransactionTestCase):
    def setUp(self):
        self.anna = User.objects.create_user("anna")
        self.header = f"Bearer {new_token(self.anna)}"

    async def answer(self, query="", **headers):
        """Return what a client reads first: or None if it is refused."""
        headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        socket = WebsocketCommunicator(application, f"/ws/member/{query}", headers)
        if not (await socket.connect(timeout=5))[0]:
            return None
        frame = await socket.receive_from(timeout=5)
        await socket.disconnect()
        return frame

    async def ticket(self, status=200):
        response = await self.async_client.post("/ticket/", headers={"Authorization": self.header})
        self.assertEqual(response.status_code, status)
        return f"?ticket={response.json().get('ticket')}"

    async def test_app_comes_in_without_origin(self):
        self.assertEqual(await self.answer(authorization=self.header), '{"unread": 0}')

    async def test_wrong_tokens_are_nobody(self):
        for header in ("", "Bearer", "Bearer x", f"Basic {self.header[7:]}", "\xff" * 9):
            self.assertIsNone(await self.answer(authorization=header))

    async def test_token_of_nobody_who_is_active(self):
        await User.objects.aupdate(is_active=False)
        self.assertIsNone(await self.answer(authorization=self.header))
        await self.ticket(status=401)

    async def test_who_has_neither_token_nor_origin_is_refused(self):
        self.assertIsNone(await self.answer())
        self.assertIsNone(await self.answer(origin="https://evil.example"))

    async def test_cookie_is_no_help_to_a_wrong_token(self):
        await self.async_client.aforce_login(self.anna)
        cookie = f"sessionid={self.async_client.cookies['sessionid'].value}"
        self.assertIsNone(await self.answer(authorization="Bearer x", cookie=cookie))
        self.assertIsNone(await self.answer("?ticket=x", cookie=cookie))

    async def test_ticket_lets_in_once(self):
        ticket = await self.ticket()
        self.assertEqual(await self.answer(ticket), '{"unread": 0}')
        self.assertIsNone(await self.answer(ticket))

    async def test_ticket_expires(self):
        ticket = await self.ticket()
        await Token.objects.aupdate(ticket_made=timezone.now() - timedelta(seconds=31))
        self.assertIsNone(await self.answer(ticket))

    def test_page_makes_and_deletes(self):
        self.client.force_login(self.anna)
        others = Token.objects.create(user=User.objects.create_user("ben"), digest="x")
        page = self.client.post("/tokens/")
        made = Token.objects.get(digest=digest_of(page.context["text"]))
        self.assertEqual(made.user, self.anna)
        self.assertContains(page, page.context["text"])
        self.assertContains(page, "You have 2 tokens.")
        self.assertEqual(page.headers["Cache-Control"].count("no-store"), 1)
        self.assertEqual(self.client.get("/tokens/").context["text"], "")
        self.assertContains(self.client.post("/tokens/", {"delete": ""}), "You have 0 tokens.")
        self.assertEqual(Token.objects.get(), others)
        self.client.logout()
        self.assertRedirects(self.client.post("/tokens/"), "/accounts/login/?next=/tokens/")
