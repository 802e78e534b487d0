"""What the daemon serves by HTTP."""
