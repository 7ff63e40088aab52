"""Right answers to the exercises of lesson 27 that are not like ours."""

from . import Right

MORE_FIELDS = r"""import json
import logging
import re


class JsonLines(logging.Formatter):
    def format(self, record):
        text = re.sub(r"token=[^&\s]+", "token=…", super().format(record))
        message, *rest = text.split("\nTraceback (most recent call last):", 1)
        line = {"level": record.levelname, "message": message, "logger": record.name}
        if "place" in record.__dict__:
            line["place"] = record.place
        if rest:
            line["traceback"] = "Traceback (most recent call last):" + rest[0]
        return json.dumps(line)
"""
WITH_TRACEBACK = r"""import json
import logging
import re
import traceback


class JsonLines(logging.Formatter):
    secret = re.compile("(token=)[^& \n]*")

    def format(self, record):
        fields = dict(level=record.levelname, message=record.getMessage())
        fields |= {name: vars(record)[name] for name in ["place"] if name in vars(record)}
        match record.exc_info:
            case (kind, error, tb) if kind:
                fields["traceback"] = "".join(traceback.format_exception(kind, error, tb))
        for name in ("message", "traceback"):
            if name in fields:
                fields[name] = self.secret.sub(r"\1…", fields[name])
        return json.dumps(fields, ensure_ascii=False, sort_keys=True)
"""

RIGHT = {
    "27.3": [
        Right("adds a field", {"myapp/lines.py": MORE_FIELDS}),
        Right("ends a traceback with a line feed", {"myapp/lines.py": WITH_TRACEBACK}),
    ],
}
