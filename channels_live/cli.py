"""`channels-live`: the exercises from a terminal, for learners and for instructors."""

# Only the standard library up here, so that `doctor` runs whatever is missing.
import argparse
import json
import os
import sys
from pathlib import Path

STATUS = """\
exit status:
  0  it was done, and all that was checked is right
  1  an exercise is not right: not yet, or not attempted; or doctor has found something
  2  it could not be done, and the message says why
"""
CHECK = """\
Serve the files of exercises as they are, try them, and say what came of it. The state is
remembered, as in a notebook; with --workspace it is not.
"""
CHECK_MORE = """\
--json prints a list with an object for each exercise:
  number   a text, such as "5.1"
  title    a text
  state    "not attempted", "not yet" or "right"
  details  an object, text to text: what the check tells. For "not yet" there may be "sent",
           "got", "expected" and "look at".

A check runs the code in the files, with all that you may do yourself. Think of that before you
check the work of somebody whom you do not know.

"""


class Refused(Exception):
    """What was asked for cannot be done."""


def main(arguments=None):
    """Run `channels-live` with these arguments, or those of the command line. Return its status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # not every terminal knows every character
    options = _parser().parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # `channels-live list | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except ImportError as error:
        return _refuse(f"{error}. `channels-live doctor` says what to do.")
    except (Refused, OSError) as error:
        return _refuse(error)
    except KeyboardInterrupt:
        return _refuse("Interrupted.")


def _refuse(why):
    print(why, file=sys.stderr)
    return 2


def _parser():
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="channels-live",
        description="The exercises of Django Channels, Live, from a terminal.",
        epilog=STATUS,
        formatter_class=plain,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name, run, help, description=None, more=""):
        description = description or f"{help[0].upper()}{help[1:]}."
        one = commands.add_parser(
            name, help=help, description=description, epilog=more + STATUS, formatter_class=plain
        )
        one.set_defaults(run=run, parser=one)
        return one

    command("list", _in_course(_list), "show the lessons and exercises, and what is done")
    following = command("next", _in_course(_next), "say what to do next, and lay out its files")
    following.add_argument(
        "number", nargs="?", metavar="NUMBER", help="this exercise, not the first that is not right"
    )
    check = command("check", _in_course(_check), "check exercises", CHECK, CHECK_MORE)
    check.add_argument("numbers", nargs="*", metavar="NUMBER", help="an exercise, such as 5.1")
    check.add_argument("--all", action="store_true", help="all exercises")
    check.add_argument(
        "--workspace",
        metavar="DIR",
        type=Path,
        help="judge what is in another workspace, and write nothing there",
    )
    check.add_argument("--json", action="store_true", help="print it for programs, see below")
    for name, run, help in (
        ("hint", _hint, "give a hint, and one more each time"),
        ("solution", _solution, "show our solution, and why it is so; your files stay as they are"),
        ("reset", _reset, "begin an exercise again; what you had changed is kept"),
    ):
        one = command(name, _in_course(run), help)
        one.add_argument("number", metavar="NUMBER", help="an exercise, such as 5.1")
    command("doctor", _doctor, "try whether all works that the course needs, and say what to mend")
    return parser


def _in_course(run):
    def run_in_course(options):
        from channels_live.working_copy import LessonError, prepare_kernel

        prepare_kernel()
        try:
            return run(options)
        except LessonError as error:
            raise Refused(error) from None

    return run_in_course


def _list(options):
    from channels_live.course import overview

    print(overview())
    return 0


def _next(options):
    from channels_live.course import overview
    from channels_live.exercise import LAID_OUT, Exercise, is_solution, tags, task
    from channels_live.lesson import notebook_of, written_files_of

    following = task(options.number) if options.number else overview().next
    if following is None:
        print("All exercises are right.")
        return 0
    cells = following.cells
    cells = [cell for cell in cells if not is_solution(cell) and LAID_OUT not in tags(cell)]
    print(cells[0].source, end="\n\n")
    Exercise(following.number)
    print(f"  lesson  {notebook_of(following.lesson)}")
    for path, _ in written_files_of(cells):
        print(f"  change  {following.folder.parent / path}")
    print(f"  then    channels-live check {following.number}")
    return 0


def _check(options):
    if bool(options.numbers) == options.all:
        options.parser.error("name exercises, such as 5.1, or --all")
    from tqdm import tqdm

    from channels_live.exercise import task, tasks
    from channels_live.progress import NOT_YET, RIGHT, Progress
    from channels_live.working_copy import LessonError

    chosen = tasks() if options.all else [task(number) for number in options.numbers]
    theirs = options.workspace and _workspace(options.workspace)
    hidden = None if len(chosen) > 1 else True  # None: where nobody looks at a terminal
    found, forgotten = [], None
    for one in tqdm(chosen, unit="exercise", leave=False, disable=hidden):
        folder = one.folder_in(theirs) if theirs else one.folder
        outcome = one.judge(folder)
        if not options.json:
            outcome.advice = {} if theirs else _advice(outcome, folder)
            short = len(chosen) > 1 and outcome.state != NOT_YET
            tqdm.write(str(outcome).partition("\n")[0] if short else str(outcome))
        found.append((one, outcome))
        if not theirs and folder.is_dir():
            try:
                Progress().set_state(one.number, outcome.state)
            except LessonError as error:
                forgotten = error  # go on: who checks wants to know
    right = sum(outcome.state == RIGHT for _, outcome in found)
    if options.json:
        print(json.dumps([_as_json(*pair) for pair in found], indent=2))
    elif len(chosen) > 1:
        print(f"{right} of {len(chosen)} are right.")
    if forgotten:
        raise forgotten
    return 0 if right == len(chosen) else 1


def _workspace(folder):
    """Return the folder, a path. Raises Refused if it is no workspace."""
    if not folder.is_dir():
        raise Refused(f"There is no folder {folder}.")
    if not any(
        any(folder.glob(name)) for name in ("exercises/[0-9][0-9]", "progress.txt", ".locks")
    ):
        within = folder / "workspace"
        better = within if within.is_dir() else "the one that `exercises` and `progress.txt` lie in"
        raise Refused(f"{folder} is no workspace. Name {better}.")
    return folder


def _advice(outcome, folder):
    """Return what may come next, in the words of a terminal."""
    from channels_live.progress import RIGHT

    number = outcome.number
    if not folder.is_dir():
        return {"begin": f"channels-live next {number} lays them out"}
    if outcome.state != RIGHT:
        return {"stuck?": f"channels-live hint {number} gives a hint; after it, another one"}
    compare = {"compare": f"channels-live solution {number} shows how we did it"}
    return outcome.advice | compare


def _as_json(task, outcome):
    return {
        "number": task.number,
        "title": task.title,
        "state": outcome.state,
        "details": outcome.details,
    }


def _hint(options):
    from channels_live.exercise import task

    print(task(options.number).more_hints(f"`channels-live solution {options.number}`"))
    return 0


def _solution(options):
    from channels_live.exercise import task

    print(task(options.number).solution())
    return 0


def _reset(options):
    from channels_live.exercise import Exercise

    Exercise(options.number).reset()
    return 0


def _doctor(options):
    from channels_live import doctor

    return doctor.main()
