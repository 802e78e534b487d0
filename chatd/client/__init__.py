"""The Twisted client library: connection, reconnect, typed calls."""
