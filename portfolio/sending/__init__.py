"""Sending: the one process of an account that talks to its broker about orders."""
