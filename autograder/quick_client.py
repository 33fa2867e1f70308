"""The command that `autograder.quick` puts on the PATH: hand over, wait, end as the tool ends.

Runs as ``python -IS quick_client.py SOCKET INSTALLED ARGUMENT…`` and imports next to nothing.
"""

import json
import os
import signal
import socket
import sys


def main(address: str, installed: str, *arguments: str) -> int:
    """Return the exit code of the command that the helper ran, or become the installed tool."""
    # At a terminal the tool draws and asks: there it runs as itself.
    if not any(map(os.isatty, range(3))):
        code = _hand_over(address, arguments)
        if code is not None:
            return code
    os.execv(installed, [installed, *arguments])


def _hand_over(address: str, arguments: tuple[str, ...]) -> int | None:
    """Let the helper run the command; None if it did not begin."""
    # Interrupted, this process ends, the helper notices, and interrupts the command.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    umask = os.umask(0)
    os.umask(umask)
    request = {
        "arguments": arguments,
        # pathlib's import takes as long as all the rest.
        "folder": os.getcwd(),  # noqa: PTH109
        "umask": umask,
        "environment": dict(os.environ),
    }
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(address)
            body = json.dumps(request).encode() + b"\n"
            sent = socket.send_fds(connection, [body], [0, 1, 2])
            connection.sendall(body[sent:])
            answer = connection.makefile()
            if answer.readline() != "runs\n":
                return None
            return int(answer.readline() or 255)
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
