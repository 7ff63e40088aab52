"""What a learner calls to join a class, to leave it, and to raise a hand."""

from channels_live import class_line, membership
from channels_live.outcome import Text
from channels_live.workspace import LessonError, in_our_words

ANSWER = 5.0  # seconds in which a board answers somebody who joins, or raises a hand

WHAT_IS_SENT = """\
From now on your notebooks, and `channels-live`, send to {address}:
- this name, and a random number that stands for you;
- the number of each exercise that you open or check, and since when you are at it;
- whether it is right, how often you have checked it, how many hints you have had;
- what the last check told you, up to 600 characters. That may hold lines of your code's output and
  of your log.

And when you raise your hand, that, and what you write with it. Nothing else: no file of yours.
`leave_class()`, or `channels-live leave`, ends it, and lets the board forget all of that.

To raise your hand, in any notebook:

    from channels_live import raise_hand
    raise_hand("What is a scope?")"""
_WAITS = "Your class at {} waits meanwhile: nothing is sent there until you leave this one."


@in_our_words()
def join_class(address: str, code: str, name: str = "") -> Text:
    """Join a class: from now on its board is told of your exercises, and says what it is told.

    address, code: as the instructor shows them. name: that the board shows, which need not be
    yours; without one it makes one up. A class that you are in already waits until you leave.

    Raises LessonError if the board does not take you.
    """
    before = membership.read()
    membership.join(address, code.strip(), " ".join(name.split())[:30])
    class_line.restart()
    if not (class_line.LINE.answered.wait(ANSWER) and class_line.LINE.connected.is_set()):
        why = class_line.LINE.refused
        now = membership.read() or {}
        if before is None or membership.which(before) != membership.which(now):
            class_line.LINE.end()
            membership.put_back(before)
            class_line.restart()
        if why:
            raise LessonError(f"You have not joined: {why}.")
        raise LessonError(
            f"You have not joined: no board answers at {address}. Try whether its page opens in "
            "your browser; ask for the address again."
        )
    state = membership.read() or {}
    page = _page(state)
    told = WHAT_IS_SENT.format(address=page)
    if state["before"]:
        told += f"\n\n{_WAITS.format(_page(state['before'][-1]))}"
    text = f"You have joined the class. On the board you are: {class_line.LINE.name}\n\n{told}"
    mine = f"Your own page there, for you alone: {page}/learner/#{state['code']}/{state['key']}"
    return Text(f"{text}\n\n{mine}")


def _page(state: membership.State) -> str:
    return str(state["address"]).replace("ws", "http", 1)


@in_our_words()
def leave_class() -> Text:
    """Leave the class: its board forgets you, and is told nothing more.

    If you were in another class when you joined it, you are in that one again.
    """
    if not membership.read():
        return Text("You have joined no class.")
    class_line.LINE.left.clear()
    class_line.LINE.say({"do": "leave"})
    forgotten = class_line.LINE.left.wait(ANSWER)
    membership.leave()
    class_line.restart()
    told = "You have left the class. Its board has forgotten you."
    if not forgotten:
        told = (
            "You have left the class, and nothing more is sent to it. Its board did not answer, "
            "so it still has what it was told: ask your instructor to delete it."
        )
    if state := membership.read():
        told += (
            f"\n\nYou are in your class at {_page(state)} again, as you were before. "
            "To leave that one too, leave once more."
        )
    return Text(told)


def raise_hand(why: str = "") -> Text:
    """Raise your hand on the board. why: what it is about, if you like."""
    return _hand(True, why, "Your hand is up. `lower_hand()` lowers it.")


def lower_hand() -> Text:
    """Lower your hand on the board."""
    return _hand(False, "", "Your hand is down.")


def _hand(up: bool, why: str, done: str) -> Text:
    if not membership.read():
        raise LessonError('You have joined no class. `join_class("address", "code")` does.')
    class_line.LINE.say({"do": "hand", "up": up, "why": why[:200]})
    if class_line.LINE.answered.wait(ANSWER) and class_line.LINE.connected.is_set():
        class_line.LINE.idle.wait(ANSWER)
        return Text(done)
    if class_line.LINE.refused:
        raise LessonError(f"The board does not take it: {class_line.LINE.refused}.")
    return Text("The board does not answer. It is told as soon as it does.")
