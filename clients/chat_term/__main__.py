from chatd.clients.chat_term.app import main

raise SystemExit(main())
