from channels.layers import get_channel_layer
from django.test import SimpleTestCase

from myapp.testing import fresh_layer


class LayerTests(SimpleTestCase):
    def setUp(self):
        self.enterContext(fresh_layer())

    async def test_1_anna_joins(self):
        await get_channel_layer().group_add("kitchen", "anna")

    async def test_2_nobody_is_there(self):
        self.assertEqual(list(get_channel_layer().groups), [])
