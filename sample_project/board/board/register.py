"""What is known of a class. These functions block: call them through `database_sync_to_async`."""

import hashlib
import random
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from . import protocol
from .models import Learner, Push, Work

MOST_LEARNERS = 1000
RIGHT = "right"
KINDS = [
    "amber",
    "bold",
    "bright",
    "calm",
    "clever",
    "gentle",
    "green",
    "happy",
    "lively",
    "merry",
    "quick",
    "quiet",
    "silver",
    "swift",
]
ANIMALS = [
    "badger",
    "beaver",
    "crane",
    "dolphin",
    "finch",
    "fox",
    "hare",
    "heron",
    "lynx",
    "otter",
    "owl",
    "panda",
    "robin",
    "seal",
]


def newest():
    """Return the numbers of the newest change and of the newest push."""
    versions = Learner.objects.aggregate(newest=Max("version"))
    return versions["newest"] or 0, Push.objects.aggregate(newest=Max("pk"))["newest"] or 0


def _next_version():
    # Changes become visible in the order of their numbers, because SQLite's writers take turns.
    # On another database lock something here first, or a hub would pass over a slow one.
    return newest()[0] + 1


@transaction.atomic
def join(request):
    """Return the Learner who has this key, a new one if need be. Raises ValueError with words."""
    if not constant_time_compare(request.code.strip().upper(), settings.BOARD_CODE.upper()):
        raise ValueError("that is not the code of this class")
    digest = hashlib.sha256(request.key.encode()).hexdigest()
    learner = Learner.objects.filter(digest=digest).first()
    wanted = " ".join(request.name.split())
    if learner and not learner.gone and wanted in ("", learner.name):
        return learner
    if not learner:
        if Learner.objects.count() >= MOST_LEARNERS:
            raise ValueError("this class is full")
        learner = Learner(digest=digest)
    learner.name = _free_name(wanted, learner.pk)
    learner.gone, learner.version = False, _next_version()
    learner.save()
    return learner


def _free_name(wanted, pk):
    taken = set(Learner.objects.filter(gone=False).exclude(pk=pk).values_list("name", flat=True))
    number, name = 1, wanted or f"{random.choice(KINDS)} {random.choice(ANIMALS)}"
    first = name
    while name in taken:
        number += 1
        name = f"{first} {number}"
    return name


@transaction.atomic
def report(learner, request):
    """Write down what a learner has done on an exercise."""
    now = timezone.now()
    begun = now - timedelta(seconds=min(request.seconds, 30 * 24 * 3600))
    work = Work.objects.filter(learner=learner, exercise=request.exercise).first()
    work = work or Work(learner_id=learner, exercise=request.exercise, since=begun)
    work.since = min(work.since, begun)
    if request.state == RIGHT:
        work.until = work.until or now
    elif work.state != RIGHT:  # right once earned is never taken back
        work.until = None
    if work.state != RIGHT:
        work.state = request.state
    work.tries, work.hints = request.tries, request.hints
    work.message = request.message
    work.save()
    _change(learner, **({"exercise": request.exercise} if request.on else {}))


@transaction.atomic
def hand(learner, up, why=""):
    """Raise a learner's hand, or lower it. Who raises it again keeps their place."""
    if up:
        Learner.objects.filter(pk=learner, hand=None).update(hand=timezone.now(), attended=False)
        _change(learner, why=why)
    else:
        _change(learner, hand=None, why="", attended=False)


@transaction.atomic
def attend(learner, going):
    """Say whether a helper is on the way."""
    _change(learner, attended=going)


@transaction.atomic
def leave(learner):
    """Forget all that is known of a learner, but that somebody with that key was there."""
    Work.objects.filter(learner=learner).delete()
    Learner.objects.get(pk=learner).pushes.clear()
    _change(learner, gone=True, name="", exercise="", hand=None, why="", attended=False)


def _change(learner, **fields):
    there = Learner.objects.filter(pk=learner, gone=False)
    if not there.update(version=_next_version(), **fields):
        raise ValueError("this learner has left the class")  # and nothing is written


@transaction.atomic
def push(request):
    """Keep a push for all who are on an exercise, and not right. Return how many they are."""
    done = Work.objects.filter(exercise=request.exercise, state=RIGHT)
    there = Learner.objects.filter(exercise=request.exercise, gone=False)
    learners = [*there.exclude(works__in=done)]
    new = Push.objects.create(
        exercise=request.exercise, text=request.text, name=request.name, content=request.content
    )
    new.learners.set(learners)
    return len(learners)


def rows(after=0, learner=None):
    """Return a Row for each learner who has changed after that number, the oldest change first.

    after: a number. learner: the number of one, or None.
    """
    learners = Learner.objects.filter(version__gt=after).order_by("version")
    if learner is not None:
        learners = learners.filter(pk=learner)
    return [_row(learner) for learner in learners.prefetch_related("works")]


def _row(learner):
    works = {
        work.exercise: protocol.Work(
            work.state,
            work.tries,
            work.hints,
            work.since.timestamp(),
            work.until and work.until.timestamp(),
            work.message,
        )
        for work in learner.works.all()
    }
    return protocol.Row(
        id=learner.pk,
        name=learner.name,
        on=learner.exercise,
        hand=learner.hand and learner.hand.timestamp(),
        why=learner.why,
        attended=learner.attended,
        works=works,
        gone=learner.gone,
        version=learner.version,
    )


def hints(after, learner=None):
    """Return (Hint, numbers of its learners) for each push after that number; for one, or for all.

    after: a number. learner: the number of one, or None.
    """
    pushes = Push.objects.filter(pk__gt=after).order_by("pk").prefetch_related("learners")
    if learner is not None:
        pushes = pushes.filter(learners=learner)
    return [
        (
            protocol.Hint(push.pk, push.exercise, push.text, push.name, push.content),
            {learner.pk for learner in push.learners.all()},
        )
        for push in pushes
    ]
