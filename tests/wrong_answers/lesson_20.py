"""Wrong answers to the exercises of lesson 20."""

# WRITE: what learners really write, at least three for each exercise, each with the message that
# it must get.

from . import Wrong

ANSWER, MIRROR = "myapp/answer.py", "myapp/mirror.py"

WRONG = {
    "20.1": [
        Wrong("sends it as it is", "the capital letters", ANSWER, ".upper()", ""),
        Wrong("capitalizes", "all of it in capital letters", ANSWER, ".upper()", ".capitalize()"),
        Wrong("loses a letter", "all of it in capital letters", ANSWER, ".upper()", ".upper()[1:]"),
    ],
    "20.2": [
        Wrong("sends it as it is", "the order of the letters", MIRROR, "[::-1]", ""),
        Wrong("leaves a letter out", "beginning with its last letter", MIRROR, "[::-1]", "[:0:-1]"),
        Wrong("takes the name of another", "what comes back", MIRROR, "[::-1]", ".upper()"),
    ],
}
