"""Runs a program that the tap cannot get into, such as a broker: `python -m … PROGRAM ARGUMENT…`.

The tap is in this process instead, and ends the program together with it.
"""

import signal
import subprocess
import sys

from channels_live.tap import wire


def main():
    # The tap's Control-C: here it must not end the waiting. (The program would inherit a SIG_IGN.)
    signal.signal(signal.SIGINT, lambda *_: None)
    program = subprocess.Popen(sys.argv[1:])
    wire.programs.append(program)
    return program.wait()


if __name__ == "__main__":
    sys.exit(main())
