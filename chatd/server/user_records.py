"""Records of keys: invites, and keys that are accepted no more. In JSON, one a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from chatd.wire import json_text
from chatd.wire.names import is_name
from chatd.wire.tokens import BadKey, Key

MOST_MISUSES = 16
"""How many addresses that tried a used invite are noted with it."""

WHYS = frozenset({"rotated", "used", "expired", "removed"})

_DEVICE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")

_T = TypeVar("_T", int, str)


def is_device(text: str) -> bool:
    """Whether `text` may name a user's device."""
    return _DEVICE.fullmatch(text) is not None


class BadRecord(ValueError):
    """What is wrong with a record; never holds its text."""


class Misuse(NamedTuple):
    """A used invite was tried again. `at`: ms since the epoch."""

    address: str
    at: int


@dataclass(frozen=True, slots=True)
class Invite:
    """A key that may only announce another. Times in ms since the epoch.

    `bound`: the key that was announced; `misused`: what is noted of later tries.
    """

    file: str
    key: Key
    name: str
    device: str | None
    expires: int
    bound: Key | None = None
    bound_at: int | None = None
    misused: tuple[Misuse, ...] = ()

    def text(self) -> str:
        return _written(
            key=self.key.text,
            name=self.name,
            device=self.device,
            expires=self.expires,
            bound=None if self.bound is None else self.bound.text,
            bound_at=self.bound_at,
            misused=[misuse._asdict() for misuse in self.misused],
        )

    @classmethod
    def parse(cls, file: str, data: bytes) -> Invite:
        """Raises BadRecord."""
        fields = _fields(data)
        bound = _maybe(fields, "bound", str)
        device = _maybe(fields, "device", str)
        if device is not None and not is_device(device):
            raise BadRecord("the record has a wrong device")
        return cls(
            file,
            _key(_field(fields, "key", str)),
            _name(fields),
            device,
            _field(fields, "expires", int),
            None if bound is None else _key(bound),
            _maybe(fields, "bound_at", int),
            _misuses(fields),
        )


@dataclass(frozen=True, slots=True)
class Retired:
    """A key that is kept only to say why it is refused.

    `why`: one of WHYS; `at`: ms since the epoch.
    """

    file: str
    key: Key
    name: str
    why: str
    at: int
    misused: tuple[Misuse, ...] = ()

    def text(self) -> str:
        return _written(
            key=self.key.text,
            name=self.name,
            why=self.why,
            at=self.at,
            misused=[misuse._asdict() for misuse in self.misused],
        )

    @classmethod
    def parse(cls, file: str, data: bytes) -> Retired:
        """Raises BadRecord."""
        fields = _fields(data)
        why = _field(fields, "why", str)
        if why not in WHYS:
            raise BadRecord("the record has a wrong why")
        return cls(
            file,
            _key(_field(fields, "key", str)),
            _name(fields),
            why,
            _field(fields, "at", int),
            _misuses(fields),
        )


def _written(**fields: object) -> str:
    return json_text.write(fields).decode() + "\n"


def _fields(data: bytes) -> json_text.Object:
    try:
        return json_text.read_object(data)
    except json_text.BadJSON:
        raise BadRecord("not a JSON object") from None


def _field(fields: json_text.Object, name: str, kind: type[_T]) -> _T:
    value = fields.get(name)
    if type(value) is not kind:
        raise BadRecord(f"the record has a wrong {name}")
    return value


def _maybe(fields: json_text.Object, name: str, kind: type[_T]) -> _T | None:
    return None if fields.get(name) is None else _field(fields, name, kind)


def _name(fields: json_text.Object) -> str:
    name = _field(fields, "name", str)
    if not is_name(name):
        raise BadRecord("the record has a wrong name")
    return name


def _key(text: str) -> Key:
    try:
        return Key.parse(text)
    except BadKey as error:
        raise BadRecord(str(error)) from None


def _misuses(fields: json_text.Object) -> tuple[Misuse, ...]:
    noted: Any = fields.get("misused", [])
    if not isinstance(noted, list) or not all(isinstance(n, dict) for n in noted):
        raise BadRecord("the record has a wrong misused")
    return tuple(
        Misuse(_field(each, "address", str), _field(each, "at", int)) for each in noted
    )
