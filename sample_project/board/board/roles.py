from django.conf import settings
from django.utils.crypto import constant_time_compare

INSTRUCTOR, HELPER = "instructor", "helper"


def role_for(word):
    """Return the role that a word gives, or an empty text."""
    for role, known in ((INSTRUCTOR, settings.BOARD_WORD), (HELPER, settings.BOARD_HELPER_WORD)):
        if constant_time_compare(word.strip().lower(), known.lower()):
            return role
    return ""


def role_of(session):
    """Return the role of who has this session, or an empty text."""
    return session.get("role", "")
