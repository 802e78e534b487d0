"""An X server of the tests' own, started at the first use."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
from functools import cache

MISSING = "no Xvfb here: install it with: apt-get install xvfb"


@cache
def display() -> str:
    """Its name, ":7" for one, and $DISPLAY set to it; "" where there is no Xvfb.

    The server picks a free number and writes it when it is ready (-displayfd), so that
    nothing is guessed and nothing is waited for blindly.
    """
    if shutil.which("Xvfb") is None:
        return ""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        [
            "Xvfb",
            *("-displayfd", str(writing)),
            "-noreset",
            *("-nolisten", "tcp"),
            *("-screen", "0", "1280x1024x24"),
            *("-dpi", "96"),
        ],
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)

    def stop() -> None:
        server.terminate()
        server.wait(10)

    atexit.register(stop)
    with os.fdopen(reading) as pipe:
        number = pipe.readline().strip()
    if not number:
        raise RuntimeError("Xvfb did not start")
    os.environ["DISPLAY"] = f":{number}"
    return os.environ["DISPLAY"]
