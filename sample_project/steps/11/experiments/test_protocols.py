import asyncio
import contextlib
import io

from channels.routing import URLRouter
from channels.testing import ApplicationCommunicator, HttpCommunicator
from django.test import TransactionTestCase

from experiments.custom_events import MyAsyncConsumer
from experiments.http_consumers import news
from experiments.lines import LineConsumer
from experiments.routing import http_urlpatterns
from myproject.asgi import application as site

experiments = URLRouter(http_urlpatterns)


class ProtocolTests(TransactionTestCase):
    fixtures = ["noticeboard"]

    async def test_event_reaches_its_method(self):
        by_hand = ApplicationCommunicator(MyAsyncConsumer.as_asgi(), {"type": "demo"})
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            await by_hand.send_input({"type": "my.custom.event"})
            await by_hand.send_input({"type": "nobody.knows"})
            with self.assertRaises(ValueError):
                await by_hand.wait()
        self.assertIn("Received event:", printed.getvalue())

    async def test_lines_are_answered(self):
        line = ApplicationCommunicator(LineConsumer.as_asgi(), {"type": "line"})
        await line.send_input({"type": "line.connect"})
        self.assertIn("service", (await line.receive_output())["text"])
        answers = {"TOPICS": "2", "SAY hello": "hello", "DANCE": "unknown command: DANCE"}
        for text, answer in answers.items():
            await line.send_input({"type": "line.receive", "text": text})
            self.assertEqual((await line.receive_output())["text"], answer)
        await line.send_input({"type": "line.disconnect"})
        await line.wait()

    async def test_countdown_streams(self):
        response = await HttpCommunicator(experiments, "GET", "/countdown/").get_response()
        self.assertEqual(response["body"].count(b"data: "), 4)

    async def test_poll_waits_for_news(self):
        known = len(news)
        poll = HttpCommunicator(experiments, "GET", f"/news/?known={known}")
        answer = asyncio.create_task(poll.get_response(timeout=5))
        post = HttpCommunicator(experiments, "POST", "/news/", body=b"at last")
        await post.get_response()
        self.assertEqual((await answer)["body"], b"at last")

    async def test_news_that_is_known_is_not_sent_again(self):
        known = len(news) + 1
        for number in (b"one", b"two"):
            post = HttpCommunicator(experiments, "POST", "/news/", body=number)
            self.assertEqual((await post.get_response())["status"], 201)
        poll = HttpCommunicator(experiments, "GET", f"/news/?known={known}")
        self.assertEqual((await poll.get_response())["body"], b"two")

    async def test_site_without_debug_leaves_all_to_django(self):
        for path, status in {"/": 200, "/countdown/": 404, "/news/": 404}.items():
            page = HttpCommunicator(site, "GET", path, headers=[(b"host", b"localhost")])
            self.assertEqual((await page.get_response())["status"], status)
