"""What `channels-live class` does: tell, start, watch over, end."""

import argparse
import contextlib
import secrets
import sys
import time
from typing import Any

import httpx

from channels_live.locks import try_lock
from channels_live.server.ports import free_port, is_free
from channels_live.workshop import certificate, front, plan
from channels_live.workshop.room import INSTRUCTOR, Room, new_code
from channels_live.workspace import LessonError

_SHORTEST = 30  # seconds: a hub that dies sooner, again and again, is not started for ever
_TRIES = 3


def run(options: argparse.Namespace) -> int:
    """Run a class until Control-C. Return the exit status. Raises LessonError, OSError."""
    plan.check_extra()
    address = plan.EVERYWHERE if options.address == "all" else options.address
    room = Room(options.folder.expanduser().resolve())
    names = plan.names_in(options.names) if options.names else []
    users = max(options.users or 0, len(names), len(room.seats))
    if options.check:
        return _check(address, options.port, users)
    if not users:
        raise LessonError("Say for how many: --users 20, or --names FILE with one name a line.")
    room.folder.mkdir(parents=True, exist_ok=True)
    held = try_lock(room.folder / ".class.lock")
    if held is None:
        raise LessonError(f"The class in {room.folder} is running already, in another terminal.")
    with held:
        from channels_live.workshop import hubs

        if hubs.end_former(room):
            print("The command was killed, but its class goes on: it is taken over.")
        elif not options.anyway:
            plan.check_memory(users, plan.memory())
        plan.check_address(address, options.port)
        room.furnish(names, users)
        room.remember(**_facts(room, address, options))
        return _serve(room, options.port, address)


def _facts(room: Room, address: str, options: argparse.Namespace) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "code": new_code(),
        "instructor_code": new_code(),
        "hub_port": free_port(),
        "token": secrets.token_hex(32),
    } | room.facts
    if not is_free(facts["hub_port"]):  # servers that run know their hub by it
        raise LessonError(
            f"Port {facts['hub_port']} is the hub's, for the servers of this class, and another "
            "program has taken it. End that, then try again."
        )
    tls: dict[str, str] = {}
    if options.cert:
        tls = certificate.given(options.cert, options.key)
    elif options.tls:
        tls = certificate.own(room.folder, plan.hosts(address))
    return facts | {
        "tls": tls,
        "bind_url": f"http{'s' * bool(tls)}://{address}:{options.port}",
        "listen": f"[{address}]:{options.port}" if ":" in address else f"{address}:{options.port}",
        "ports": plan.ports([INSTRUCTOR, *room.seats], facts.get("ports", {})),
        "offline": options.offline,
        "memory": options.memory,
    }


def _serve(room: Room, port: int, address: str) -> int:
    from channels_live.workshop.hubs import Hub
    from channels_live.workshop.shown import welcome

    hub = Hub(room)
    nginx = front.start(room)
    failed = 0
    print(welcome(room, address, port), flush=True)
    try:
        while True:
            begin = time.monotonic()
            with contextlib.suppress(httpx.TransportError):  # it has died meanwhile
                hub.start_seats()
                _tell_ready(hub, len(room.seats))
            while hub.process.poll() is None:
                time.sleep(0.5)
                if nginx.poll() is not None:
                    nginx = front.start(room)
            failed = failed + 1 if time.monotonic() - begin < _SHORTEST else 0
            if failed == _TRIES:
                raise LessonError(f"The hub ends again and again. Its log is in {hub.log}.")
            print("The hub has ended. It starts again; all servers go on.", flush=True)
            hub = Hub(room)
    except KeyboardInterrupt:
        return 0
    finally:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(f"\nThe class ends. All work is in {room.folder / 'learners'}.", flush=True)
        hub.end()
        nginx.terminate()
        nginx.wait()


def _tell_ready(hub: Any, seats: int) -> None:
    """Tell how many servers run, until all do, or the hub has died."""
    told, failed = -1, ""
    stay = "\r" if sys.stdout.isatty() else "\n"  # or these lines would push the picture away
    while told < seats and hub.process.poll() is None:
        if (ready := hub.ready()) != told:
            print(
                f"{ready} of {seats} servers run.", end=stay if ready < seats else "\n", flush=True
            )
            told = ready
        time.sleep(1)
        if without := ", ".join(hub.without_server()):
            if without != failed:
                print(f"Tried again: {without} did not start. Why is in {hub.log}.", flush=True)
                failed = without
            hub.start_seats()


def _check(address: str, port: int, users: int) -> int:
    from channels_live.workshop.measure import a_learner

    plan.check_address(address, port)
    free, learner = plan.memory(), a_learner()
    for line in plan.survey(address, port, free, learner):
        print(line)
    fit = plan.room_for(free, max(plan.LEARNER, learner))
    if users > fit:
        print(f"\n{users} learners do not fit.")
    return 1 if users > fit else 0
