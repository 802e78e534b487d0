"""The clients; in a checkout they lie in ``clients/`` beside ``chatd/``."""

from pathlib import Path as _Path

_beside = _Path(__file__).resolve().parents[2] / "clients"
if (_beside / "chat_tk").is_dir():
    __path__.append(str(_beside))
