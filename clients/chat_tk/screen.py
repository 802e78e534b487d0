"""What the desktop says: its scale, its look, and whether it can draw colour fonts."""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import subprocess
import sys
import tkinter as tk

_PATIENCE = 2.0  # seconds for a program of the desktop to answer
_SAFE_XFT = 20305  # XftGetVersion of 2.3.5: older ones crash on colour glyphs


def before_tk() -> None:
    """Windows: ask for real pixels. Must run before tk.Tk()."""
    if sys.platform == "win32":
        ctypes.windll.user32.SetProcessDPIAware()


def scale(root: tk.Misc) -> float:
    """1.0 at 96 dots an inch. Tk 8.6 does not look at Xft.dpi, so on X11 this does."""
    match root.tk.call("tk", "windowingsystem"):
        case "x11":
            for line in _output("xrdb", "-query").splitlines():
                name, _, value = line.partition(":")
                if name == "Xft.dpi":
                    return _bounded(value)
            return 1.0
        case "aqua":
            return 1.0
        case _:
            return max(1.0, root.winfo_fpixels("1i") / 96)


def _bounded(dots: str) -> float:
    try:
        return min(4.0, max(1.0, float(dots) / 96))
    except ValueError:
        return 1.0


def geometry(root: tk.Misc, kept: str) -> str:
    """`kept`, a size and place as Tk writes them, if it can be seen on this screen."""
    found = re.fullmatch(r"(\d{3,5})x(\d{3,5})\+(\d{1,5})\+(\d{1,5})", kept)
    if found is None:
        return ""
    wide, high, x, y = map(int, found.groups())
    fits = x + 100 <= root.winfo_screenwidth() and y + 100 <= root.winfo_screenheight()
    return f"{wide}x{high}+{x}+{y}" if fits else ""


def theme() -> str:
    """ "dark" or "light", as the desktop is set; "light" when it does not say."""
    if sys.platform == "darwin":
        words = _output("defaults", "read", "-g", "AppleInterfaceStyle")
    elif sys.platform == "win32":
        words = _windows_theme()
    else:
        words = _output(
            "gsettings", "get", "org.gnome.desktop.interface", "color-scheme"
        )
    return "dark" if "dark" in words.lower() else "light"


def _windows_theme() -> str:
    words = _output(
        "reg",
        "query",
        r"HKCU\Software\Microsoft\Windows\CurrentVersion\Themes\Personalize",
        "/v",
        "AppsUseLightTheme",
    )
    return "dark" if words.strip().endswith("0x0") else "light"


def colour_fonts(root: tk.Misc) -> bool:
    """Whether an emoji can be drawn without ending the process."""
    if root.tk.call("tk", "windowingsystem") != "x11":
        return True
    name = ctypes.util.find_library("Xft") or "libXft.so.2"
    try:
        return int(ctypes.CDLL(name).XftGetVersion()) >= _SAFE_XFT
    except (OSError, AttributeError):
        return False


def _output(*command: str) -> str:
    """What `command` prints, "" when it cannot be run."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
