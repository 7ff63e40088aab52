import csv
from functools import wraps

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from . import register
from .limits import count
from .roles import HELPER, INSTRUCTOR, role_for, role_of


def only_for(*roles):
    """Send everybody else to the log-in."""

    def decorate(view):
        @wraps(view)
        def wrapped(request):
            return view(request) if role_of(request.session) in roles else redirect("log-in")

        return wrapped

    return decorate


def log_in(request):
    wrong = ""
    if request.method == "POST":
        try:  # right words too, or whoever tries all would meet the right one
            count("word", {"client": (request.META.get("REMOTE_ADDR"), 0)}, 20, 60)
        except ValueError:
            wrong = "That was tried too often. Wait a minute."
        else:
            if role := role_for(request.POST.get("word", "")):
                request.session.cycle_key()
                request.session["role"] = role
                return redirect("board" if role == INSTRUCTOR else "helpers")
            wrong = "That is not the word."
    status = 403 if wrong else 200
    return render(request, "board/log_in.html", {"wrong": wrong}, status=status)


@require_POST
def log_out(request):
    request.session.flush()
    return redirect("log-in")


@only_for(INSTRUCTOR)
def board(request):
    address = settings.BOARD_ADDRESS or request.build_absolute_uri("/").rstrip("/")
    return render(request, "board/board.html", {"address": address, "code": settings.BOARD_CODE})


@only_for(INSTRUCTOR, HELPER)
def helpers(request):
    return render(request, "board/helpers.html")


def learner(request):
    return render(request, "board/learner.html")


@only_for(INSTRUCTOR)
def export(request):
    """Return what is on the board as a table for a spreadsheet."""
    now = timezone.now().timestamp()
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="class.csv"'
    response.write("\ufeff")  # or spreadsheets take it for another encoding
    table = csv.writer(response)
    table.writerow(["learner", "exercise", "state", "tries", "hints", "minutes", "message"])
    for row in sorted(register.rows(), key=lambda row: row.name.casefold()):
        for exercise, work in sorted(row.works.items(), key=lambda item: order_of(item[0])):
            minutes = round(((work.until or now) - work.since) / 60)
            texts = row.name, exercise, work.state, work.tries, work.hints, minutes, work.message
            table.writerow(map(harmless, texts))
    return response


def order_of(exercise):
    return [int(part) for part in exercise.split(".")]


def harmless(value):
    """Return a value that no spreadsheet takes for a formula."""
    formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if formula else value
