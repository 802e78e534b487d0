"""What stays: interfaces and stores, the daemon's and the client's."""
