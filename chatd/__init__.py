"""chatd: an encrypted chat daemon whose acknowledgement is a promise."""

__version__ = "0.1.0"
