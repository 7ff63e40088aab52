"""Wrong answers to the exercises of lesson 8."""

from . import Wrong

PARCEL, NOTES, ALBUM = "myapp/parcel.py", "myapp/notes.py", "myapp/album.py"
FIRST_LINES = """        if len(self.number) > 20:
            self.close()
            return
        self.accept()
"""
PICK = """        self.language = None
        for name in ("notes.v2", "notes.v1"):
            if name in offered:
                self.language = name
                break
"""
DECODE = """        try:
            return super().decode_json(text_data)
        except ValueError:
            return None  # receive_json knows what to say
"""
TWO_CASES = """            case {"save": str(title)}:
                self.title = title
            case {"show": str(title)} if title in self.pictures:
                self.send(bytes_data=self.pictures[title])
"""

WRONG = {
    "8.1": [
        Wrong(
            "still closes before it accepts",
            "a close code that is sent before `accept()`",
            PARCEL,
            FIRST_LINES + "        if not numbers:\n            self.close(code=4400)\n",
            "        if not numbers:\n            self.close(code=4400)\n            return\n"
            + FIRST_LINES
            + "        if False:\n            pass\n",
        ),
        Wrong(
            "accepts before it has a number",
            "no attribute 'number'",
            PARCEL,
            '        self.number = numbers[0] if numbers else "unknown"\n',
            "        if not numbers:\n            self.accept()\n"
            "            self.close(code=4400)\n            return\n"
            "        self.number = numbers[0]\n",
        ),
        Wrong(
            "lets robots in too",
            "turned away before `accept()`",
            PARCEL,
            FIRST_LINES,
            "        self.accept()\n" + FIRST_LINES.replace("        self.accept()\n", ""),
        ),
        Wrong(
            "does not accept at all",
            "Socket has not been accepted",
            PARCEL,
            "        self.accept()\n",
            "",
        ),
        Wrong(
            "mixes the codes up",
            "4404 for what is not a number",
            PARCEL,
            "code=4404",
            "code=4400",
        ),
        Wrong(
            "greets before it looks",
            "what is sent to those who are turned away",
            PARCEL,
            "        if not numbers:\n",
            '        self.send(text_data=f"parcel {self.number} is on its way")\n'
            "        if not numbers:\n",
            (
                (
                    PARCEL,
                    "        else:\n"
                    '            self.send(text_data=f"parcel {self.number} is on its way")\n',
                    "",
                ),
            ),
        ),
        Wrong(
            "goes on after closing",
            "nothing but the code, before or after it",
            PARCEL,
            "        else:\n            self.send(",
            "        if True:\n            self.send(",
        ),
        Wrong(
            "looks for robots among the numbers only",
            "whether robots are turned away",
            PARCEL,
            "if len(self.number) > 20:",
            "if self.number.isdigit() and len(self.number) > 20:",
        ),
        Wrong(
            "turns 20 characters away",
            "a number of 20 characters gets: it is let in",
            PARCEL,
            "if len(self.number) > 20:",
            "if len(self.number) >= 20:",
        ),
        Wrong(
            "takes the line of disconnect out",
            "whether `disconnect` prints its line",
            PARCEL,
            '        print(f"the client for parcel {self.number} left with {close_code}")\n',
            "        pass\n",
        ),
        Wrong(
            "accepts a second time",
            "`accept()` was called a second time",
            PARCEL,
            "        else:\n            self.send(",
            "        else:\n            self.accept()\n            self.send(",
        ),
    ],
    "8.2": [
        Wrong(
            "takes the client's first",
            "`notes.v2` goes before `notes.v1`",
            NOTES,
            PICK,
            "        self.language = None\n        for name in offered:\n"
            '            if name in ("notes.v2", "notes.v1"):\n'
            "                self.language = name\n                break\n",
        ),
        Wrong(
            "forgets to tell the client",
            "whether `accept` is told",
            NOTES,
            "self.accept(subprotocol=self.language)",
            "self.accept()",
        ),
        Wrong(
            "refuses before accepting",
            "a close code that is sent before `accept()`",
            NOTES,
            "        self.accept(subprotocol=self.language)\n        if self.language is None:\n"
            "            self.close(code=4406)\n",
            "        if self.language is None:\n            self.close(code=4406)\n"
            "            return\n        self.accept(subprotocol=self.language)\n",
        ),
        Wrong(
            "closes without a code",
            "`close` was called without one",
            NOTES,
            "self.close(code=4406)",
            "self.close()",
        ),
        Wrong(
            "lets everybody stay",
            "offers neither",
            NOTES,
            "        if self.language is None:\n            self.close(code=4406)\n",
            "",
        ),
        Wrong(
            "speaks notes.v2 whatever is offered",
            "with a name that this client offers",
            NOTES,
            PICK,
            '        self.language = "notes.v2"\n',
        ),
        Wrong(
            "speaks notes.v1 to all others",
            "with a name that this client offers",
            NOTES,
            "        self.language = None\n",
            '        self.language = "notes.v1"\n',
        ),
        Wrong(
            "compares with the whole list",
            "which one your code picks from this list",
            NOTES,
            PICK,
            '        self.language = None\n        if offered == ["notes.v2"]:\n'
            '            self.language = "notes.v2"\n        elif offered == ["notes.v1"]:\n'
            '            self.language = "notes.v1"\n',
        ),
        Wrong(
            "keeps the language in the class",
            "what `self.language` is for this client",
            NOTES,
            PICK,
            PICK.replace("self.", "NotesConsumer."),
        ),
    ],
    "8.3": [
        Wrong(
            "leaves bytes to the class",
            "No text section",
            ALBUM,
            "        if bytes_data is None:",
            "        if True:",
        ),
        Wrong(
            "does not catch bad JSON",
            "JSONDecodeError",
            ALBUM,
            DECODE,
            "        return super().decode_json(text_data)\n",
        ),
        Wrong(
            "trusts every JSON",
            "JSON that asks for nothing",
            ALBUM,
            TWO_CASES,
            '            case {"save": title}:\n                self.title = title\n'
            '            case {"show": title}:\n'
            "                self.send(bytes_data=self.pictures[title])\n",
        ),
        Wrong(
            "takes any title",
            "only text will do",
            ALBUM,
            'case {"save": str(title)}:',
            'case {"save": title}:',
        ),
        Wrong(
            "keeps the title",
            "a title is good for one picture",
            ALBUM,
            "            self.title = None\n",
            "",
        ),
        Wrong(
            "one album for all",
            "every client has one of its own",
            ALBUM,
            "        self.pictures, self.title = {}, None\n",
            "        self.title = None\n",
            (
                (
                    ALBUM,
                    "class AlbumConsumer(JsonWebsocketConsumer):\n",
                    "class AlbumConsumer(JsonWebsocketConsumer):\n    pictures = {}\n",
                ),
            ),
        ),
        Wrong(
            "sends the picture as text",
            "the kind of frame",
            ALBUM,
            "self.send(bytes_data=self.pictures[title])",
            "self.send(text_data=repr(self.pictures[title]))",
        ),
        Wrong(
            "gives each picture away once",
            "what else changes the album",
            ALBUM,
            "self.send(bytes_data=self.pictures[title])",
            "self.send(bytes_data=self.pictures.pop(title))",
        ),
        Wrong(
            "tells no reason",
            "with a text",
            ALBUM,
            '{"error": "please send the title first"}',
            '{"error": None}',
        ),
        Wrong(
            "answers a title",
            "whether a title alone gets no answer",
            ALBUM,
            "                self.title = title\n",
            "                self.title = title\n"
            "                self.send_json({'title': title})\n",
        ),
        Wrong(
            "hangs up on errors",
            "what follows an error: the connection stays open",
            ALBUM,
            'or {"show": …} with a title\'})\n',
            'or {"show": …} with a title\'})\n                self.close()\n',
        ),
        Wrong(
            "leaves __init__ of the class out",
            "does not call `super().__init__()`",
            ALBUM,
            "    def connect(self):\n",
            "    def __init__(self):\n        self.albums = []\n\n    def connect(self):\n",
        ),
    ],
}
