"""chat-term: lines in, replies out; for terminals and for scripts."""
