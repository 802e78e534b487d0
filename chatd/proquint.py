"""Key ids as words that people can say: proquints (arXiv:0901.4016)."""

from __future__ import annotations

_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"


def proquints(hexadecimal: str) -> str:
    """Whole 16-bit groups of hex digits, each as a word of five letters."""
    groups = [int(hexadecimal[at : at + 4], 16) for at in range(0, len(hexadecimal), 4)]
    return "-".join(_word(group) for group in groups)


def _word(group: int) -> str:
    return (
        _CONSONANTS[group >> 12]
        + _VOWELS[group >> 10 & 3]
        + _CONSONANTS[group >> 6 & 15]
        + _VOWELS[group >> 4 & 3]
        + _CONSONANTS[group & 15]
    )
