"""The client side: connection, reconnecting, calls and replies."""
