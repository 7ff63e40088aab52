"""A broker for the checks, and servers around it."""

from collections.abc import Mapping
from functools import partial

from channels_live.checks.not_yet import NotYet
from channels_live.checks.site import Site
from channels_live.checks.values import at_once
from channels_live.kernel import KERNEL

BROKER = 'valkey-server --port 6379 --save ""'


def broker(site: Site) -> dict[str, str]:
    """Start a broker, or take the learner's own if there is none.

    Return the variable with its address, `REDIS_URL`. Raises NotYet if there is neither.
    """
    look = "the broker: without one nothing can be tried here. Your files are not at fault"
    try:
        address = site.twin().serve(BROKER, look).url()
    except NotYet:
        if not KERNEL.own_broker:
            raise
        address = KERNEL.own_broker
    return {"REDIS_URL": address}


def serve_all(environment: Mapping[str, str], *sites: Site) -> None:
    """Start a server on each of these sites, all at the same time. Raises NotYet as `serve`."""
    at_once(*(partial(site.serve, environment=environment) for site in sites))
