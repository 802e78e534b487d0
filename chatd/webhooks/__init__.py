"""Webhooks: rooms told to other programs, and other programs heard in rooms."""
