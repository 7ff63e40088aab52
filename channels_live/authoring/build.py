"""Derives all that is derived, in the right order, and only what has changed.

First the texts: minutes, titles, the map, and what is new in files that are written again. Then the
sample project after each lesson. Then the outputs: those of the lessons, of the solutions, and of
the exercises, which are the solutions without what solves them.
"""

import argparse
import asyncio
import sys
import threading
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from tqdm import tqdm

from channels_live.authoring import AuthoringError, exercises, finished, marks, recipe, texts
from channels_live.authoring.course import Course
from channels_live.authoring.notebooks import execute, load
from channels_live.authoring.seals import Seals
from channels_live.notebook import exercises_name

AT_ONCE = 2  # notebooks that are executed at the same time
# What is derived as whole files, as .gitattributes writes it; `make lock` makes one more.
DERIVED = (*(f"sample_project/{name}/**" for name in finished.BUILT), "exercises/*.ipynb")


@dataclass
class Page:
    """A notebook to be executed.

    path: its file. cells: how many code cells it has, about: a bar needs no more.
    solution: the file of solutions that it is built from; None: it is executed as it is.
    """

    path: Path
    cells: int
    solution: Path | None = None

    def load(self) -> NotebookNode:
        """Return what is to be executed. Raises AuthoringError if it cannot be loaded or built."""
        return exercises.built(self.solution) if self.solution else load(self.path)


def differences(course: Course) -> list[str]:
    """Return a sentence for each file that is not as built. Outputs do not count.

    Raises AuthoringError if something cannot be built.
    """
    return [
        *(f"{course.shown(path)} is stale." for path in texts.stale(course)),
        *(f"{course.shown(path)}: what it marks as new is stale." for path in marks.stale(course)),
        *(f"{course.shown(path)}: a file to be copied is stale." for path in recipe.stale(course)),
        *finished.differences(course.notebooks, course.sample),
        *exercises.differences(course.solutions, course.exercises),
    ]


def pages_to_execute(
    course: Course, seals: Seals, lessons: Iterable[int] = (), everything: bool = False
) -> list[Page]:
    """Return the notebooks whose outputs are not known to be those of what they depend on.

    lessons: the numbers of those that are looked at; none: all. everything: all of these, changed
    or not. Raises AuthoringError if a notebook cannot be read.
    """
    lessons = set(lessons)
    chosen = set(lessons) or course.lessons().keys()
    changed = [
        Page(page.path, len(page.code))
        for page in (*course.lessons().values(), *course.solved().values())
        if page.number in chosen and (everything or not seals.is_built(page.path))
    ]
    if not lessons:
        changed += [
            Page(page.path, len(page.code))
            for page in course.clinics().values()
            if everything or not seals.is_built(page.path)
        ]
    for number, solution in course.solved().items():
        path = course.exercises / exercises_name(solution.path)
        if number in chosen and (
            everything
            or not path.exists()
            or _is_stale(solution.path, path)
            or not seals.is_built(path)
        ):
            changed.append(Page(path, len(solution.code), solution.path))
    return changed


def build(course: Course, lessons: Iterable[int] = (), everything: bool = False) -> list[str]:
    """Build all that is not as built, and return a message for each notebook that has failed.

    Such a notebook stays as it was. lessons, everything: as for `pages_to_execute`; texts and the
    sample project are always built. Raises AuthoringError if those cannot be.
    """
    for path in texts.renew(course):
        print(f"{course.shown(path)}: its minutes, titles or links")
    for path in marks.renew(course):
        print(f"{course.shown(path)}: what it marks as new")
    for path in recipe.renew(course):
        print(f"{course.shown(path)}: files to be copied")
    if changed := finished.differences(course.notebooks, course.sample):
        finished.rebuild(course.notebooks, course.sample)
        print("\n".join(sentence.rpartition(" is ")[0] for sentence in changed))
    for path in exercises.superfluous(course.solutions, course.exercises):
        path.unlink()
        print(f"{course.shown(path)}: removed")
    course.exercises.mkdir(exist_ok=True)
    seals = Seals(course)
    pages = pages_to_execute(course, seals, lessons, everything)
    return _run(_execute(course, seals, pages)) if pages else []


def _is_stale(solution: Path, path: Path) -> bool:
    try:
        return exercises.is_stale(solution, path)
    except AuthoringError:  # it is told when they are built
        return True


async def _execute(course: Course, seals: Seals, pages: list[Page]) -> list[str]:
    """Execute notebooks, and return a message for each that has failed."""
    failures: list[str] = []
    slots = asyncio.Semaphore(AT_ONCE)

    async def execute_page(page: Page) -> None:
        async with slots:
            name, left = course.shown(page.path), page.cells

            def count(cells: int = 1) -> None:
                nonlocal left
                left -= cells
                bar.update(cells)

            bar.set_description(name)
            try:
                inputs = seals.inputs(page.path)
                is_solution = page.path.parent == course.solutions
                await execute(page.path, page.load(), count, all_right=is_solution)
                seals.keep(page.path, inputs)
                tqdm.write(f"{name}: its outputs")
            except AuthoringError as error:
                failures.append(f"{error}\n{name} is left as it was.")
                tqdm.write(f"{failures[-1]}\n", file=sys.stderr)
            count(left)

    # No bar where nobody watches it: there each of its states would be a line.
    total = sum(page.cells for page in pages)
    with tqdm(total=total, unit="cell", disable=None, dynamic_ncols=True) as bar:
        async with asyncio.TaskGroup() as tasks:
            for page in pages:
                tasks.create_task(execute_page(page))
    return failures


def _run(work: Coroutine[Any, Any, list[str]]) -> list[str]:
    """Run in a thread: in the main one nbclient would take Ctrl+C for itself, and go on."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        return asyncio.run_coroutine_threadsafe(work, loop).result()
    except KeyboardInterrupt:
        print("\nEnding the kernels.", file=sys.stderr)
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result()
        raise
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


def main(arguments: list[str] | None = None) -> int:
    """Run `make build`. Return the exit status."""
    parser = argparse.ArgumentParser(prog="make build", description=__doc__)
    parser.add_argument(
        "lessons", nargs="*", type=int, metavar="N", help="execute only what these lessons have"
    )
    parser.add_argument("--all", action="store_true", help="execute what has not changed, too")
    parser.add_argument("--check", action="store_true", help="say what is not as built, and fail")
    options = parser.parse_args(arguments)
    course = Course()
    try:
        for number in options.lessons:
            if number not in course.lessons():
                parser.error(f"there is no lesson {number}")
        if options.check:
            sentences = differences(course)
            stale = pages_to_execute(course, Seals(course), options.lessons)
            names = [course.shown(page.path) for page in stale]
            sentences += [
                f"{name}: its outputs are older than what they depend on." for name in names
            ]
            print("\n".join([*sentences, "Run: make build"] if sentences else ["All is as built."]))
            return bool(sentences)
        failures = build(course, options.lessons, options.all)
    except AuthoringError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if failures:
        print(f"{len(failures)} of the notebooks failed.", file=sys.stderr)
    else:
        print("All is as built.")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
