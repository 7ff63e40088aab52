from contextlib import asynccontextmanager

from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.test import Client, TransactionTestCase
from django.urls import reverse

from myapp.models import Post, Topic
from myapp.test_rooms import HEADERS, next_of
from myproject.asgi import application


@sync_to_async
def log_in(user):
    browser = Client()
    browser.force_login(user)
    return browser


@asynccontextmanager
async def window(browser, unread=0):
    cookie = f"sessionid={browser.cookies['sessionid'].value}".encode()
    headers = [*HEADERS, (b"cookie", cookie)]
    communicator = WebsocketCommunicator(application, "/ws/member/", headers)
    assert (await communicator.connect(timeout=5))[0]
    assert await next_of(communicator, "unread") == unread
    yield communicator
    await communicator.disconnect()


class MemberTests(TransactionTestCase):
    def setUp(self):
        self.anna, self.ben = (User.objects.create_user(name) for name in ("anna", "ben"))
        self.topic = Topic.objects.create(title="Lunch", slug="lunch")
        Post.objects.create(topic=self.topic, author=self.anna, text="Soup?")

    async def close_code_of(self, communicator):
        closed = await communicator.receive_output(timeout=5)
        self.assertEqual(closed["type"], "websocket.close")
        return closed["code"]

    async def test_who_is_nobody_is_told(self):
        stranger = WebsocketCommunicator(application, "/ws/member/", HEADERS)
        self.assertTrue((await stranger.connect(timeout=5))[0])
        self.assertEqual(await self.close_code_of(stranger), 4401)

    async def test_what_a_member_sends_is_left_out(self):
        async with window(await log_in(self.anna)) as anna:
            await anna.send_to(text_data="no JSON")
            await anna.send_to(bytes_data=b"\x00")
            self.assertTrue(await anna.receive_nothing())

    async def test_all_windows_of_the_others_hear_of_a_post(self):
        anna, ben = await log_in(self.anna), await log_in(self.ben)
        async with window(anna) as anna_1, window(anna) as anna_2, window(ben) as ben_1:
            await Post.objects.acreate(topic=self.topic, author=self.ben, text="Noodles.")
            for each in (anna_1, anna_2):
                self.assertEqual(await next_of(each, "unread"), 1)
            await sync_to_async(anna.post)(reverse("notifications"), {"up_to": "9" * 5000})
            for each in (anna_1, anna_2):
                self.assertEqual(await next_of(each, "unread"), 0)
            self.assertTrue(await ben_1.receive_nothing())

    async def test_log_out_ends_the_sockets_of_its_session(self):
        library, telephone = await log_in(self.anna), await log_in(self.anna)
        async with window(library) as left_open, window(telephone) as phone:
            await sync_to_async(library.post)(reverse("logout"))
            self.assertEqual(await self.close_code_of(left_open), 4401)
            self.assertTrue(await phone.receive_nothing())

    async def test_deactivation_ends_the_sockets(self):
        async with window(await log_in(self.anna)) as anna:
            self.anna.is_active = False
            await self.anna.asave()
            self.assertEqual(await self.close_code_of(anna), 4401)

    async def test_new_password_ends_the_sockets(self):
        async with window(await log_in(self.anna)) as anna:
            self.anna.set_password("new")
            await self.anna.asave()
            self.assertEqual(await self.close_code_of(anna), 4401)

    def test_what_has_come_meanwhile_stays_unread(self):
        self.client.force_login(self.anna)
        for text in ("Noodles.", "Pie."):
            Post.objects.create(topic=self.topic, author=self.ben, text=text)
        second, first = self.anna.notifications.all()
        for up_to, unread in (("", 2), ("none", 2), (first.pk, 1), (second.pk, 0)):
            self.client.post(reverse("notifications"), {"up_to": up_to})
            self.assertEqual(self.anna.notifications.filter(read=False).count(), unread)

    def test_page_lists_them(self):
        Post.objects.create(topic=self.topic, author=self.ben, text="<b>Noodles.</b>")
        self.client.force_login(self.anna)
        page = self.client.get(reverse("notifications"))
        self.assertContains(page, "&lt;b&gt;Noodles.")
        self.assertContains(page, "/ws/member/")
        self.client.logout()
        self.assertRedirects(
            self.client.get(reverse("notifications")), "/accounts/login/?next=/notifications/"
        )
