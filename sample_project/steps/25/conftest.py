import multiprocessing

import pytest
from django.conf import settings

from myapp.testing import fresh_layer

settings.DEBUG = False
multiprocessing.set_start_method("spawn")


@pytest.fixture(autouse=True)
def layer():
    """Give each test a channel layer of its own."""
    with fresh_layer():
        yield
