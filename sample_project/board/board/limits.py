from contextlib import suppress

from django.core.cache import cache


def who(scope):
    """Return whom to count: a user, or where nobody is logged in, an address."""
    user = scope.get("user")
    if user and user.is_authenticated:
        return f"user-{user.pk}"
    host, _ = scope.get("client") or ("unknown", 0)
    return f"address-{host}"


def count(what, scope, most, period):
    """Count what somebody does. Raises ValueError if it is more than `most` in `period` seconds."""
    key, number = f"{what}.{who(scope)}", 1
    cache.add(key, 0, timeout=period)
    with suppress(ValueError):  # the time has ended just now
        number = cache.incr(key)
    if number == 1:  # Redis may have begun to count just now, and would never end
        cache.touch(key, period)
    if number > most:
        raise ValueError(f"too many {what}s from you, please wait")
