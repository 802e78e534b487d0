"""One client process of the chaos: writes numbered messages, or observes a room.

    python -m tests.chaos.person NAME PORT KEY STORE [COUNT PACE]

A writer ends when all its messages are acknowledged. Both may be killed at any moment
and started again with the same arguments.
"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.internet import task
from twisted.internet.endpoints import TCP4ClientEndpoint

from chatd import keyfile
from chatd.client.chat import ChatClient
from chatd.client.link import Delays
from chatd.journal.client_store import ClientStore

ROOM = "#chaos"
_SAID = "said"  # the fact that tells how many were taken by the outbox


def main() -> None:
    from twisted.internet import reactor

    name, port, key, path, *numbers = sys.argv[1:]
    store = ClientStore(Path(path))
    client = ChatClient(
        reactor,
        TCP4ClientEndpoint(reactor, "127.0.0.1", int(port), timeout=5),
        [keyfile.read(Path(key))],
        store,
        delays=Delays(first=0.05, hopeless=0.1, most=0.5),
    )
    if numbers:
        count, pace = int(numbers[0]), float(numbers[1])

        def step() -> None:
            number = int(store.get(_SAID) or 0)
            if number < count:
                client.say(ROOM, f"{name} {number}", f"{name}-{number}")
                store.set(_SAID, str(number + 1))
            elif not client.own():
                reactor.stop()

        task.LoopingCall(step).start(pace)
    client.join(ROOM).addErrback(lambda _: None)
    client.start()
    reactor.run()


if __name__ == "__main__":
    main()
