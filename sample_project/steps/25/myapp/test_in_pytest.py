import pytest
from channels.testing import WebsocketCommunicator

from myapp.models import Topic
from myproject.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def topic():
    return Topic.objects.create(title="Lunch", slug="lunch")


async def test_topic_is_found(topic):
    headers = [(b"origin", b"http://localhost")]
    anna = WebsocketCommunicator(application, topic_url(topic), headers)
    assert await anna.connect(timeout=5) == (True, None)
    await anna.disconnect()


def topic_url(topic):
    return f"/ws/topics/{topic.slug}/"
