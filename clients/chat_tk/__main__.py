"""``python -m chatd.clients.chat_tk``."""

from chatd.clients.chat_tk.app import main

raise SystemExit(main())
