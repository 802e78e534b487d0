"""``python -m chatd ...`` is ``twistd -n chatd ...``; it works from a checkout, too."""

import sys

from twisted.scripts.twistd import run

if __name__ == "__main__":
    sys.argv = ["chatd", "--nodaemon", "--pidfile=", "chatd", *sys.argv[1:]]
    run()
