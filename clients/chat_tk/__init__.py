"""chat-tk: the desktop client. Only `app` and what draws need tkinter."""
