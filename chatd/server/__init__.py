"""Who may do what: the daemon's side of a connection."""
