"""What travels: pure, shared by both sides. Imports nothing else of chatd."""
