"""Fyers' API v3."""
