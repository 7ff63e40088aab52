from channels.testing import ApplicationCommunicator, HttpCommunicator
from django.test import TransactionTestCase

from myapp.lines import LineConsumer
from myproject.asgi import application


class ProtocolTests(TransactionTestCase):
    fixtures = ["noticeboard"]

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
        response = await HttpCommunicator(application, "GET", "/countdown/").get_response()
        self.assertEqual(response["body"].count(b"data: "), 4)

    async def test_news_that_is_known_is_not_sent_again(self):
        for number in (b"one", b"two"):
            post = HttpCommunicator(application, "POST", "/news/", body=number)
            self.assertEqual((await post.get_response())["status"], 201)
        poll = HttpCommunicator(application, "GET", "/news/?known=1")
        self.assertEqual((await poll.get_response())["body"], b"two")

    async def test_other_paths_are_django(self):
        page = HttpCommunicator(application, "GET", "/", headers=[(b"host", b"localhost")])
        self.assertEqual((await page.get_response())["status"], 200)
