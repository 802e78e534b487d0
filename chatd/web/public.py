"""What ``--http`` serves: health, metrics, and posts of other programs."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.web.resource import IResource

from chatd.listening import endpoint
from chatd.server.service import Listener, StartError
from chatd.web.health import Health
from chatd.web.hooks import Hooks
from chatd.web.house import House
from chatd.web.site import site
from chatd.webhooks.incoming import Inbox


def listeners(
    reactor: object, descriptions: Sequence[str], house: House, inbox: Inbox
) -> list[Listener]:
    """One for each place. Raises StartError."""
    if not descriptions:
        return []
    try:
        from chatd.web.metrics import Metrics
    except ImportError:
        raise StartError(
            "--http needs prometheus_client: pip install 'chatd[http]'"
        ) from None
    children: dict[str, IResource] = {
        "health": Health(house),
        "metrics": Metrics(house),
        "hooks": Hooks(inbox),
    }
    return [
        Listener(each, endpoint(reactor, each, "--http"), site(children))
        for each in descriptions
    ]
