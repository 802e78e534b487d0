"""The window as people see it: real client, real daemon, a small team that talks."""
