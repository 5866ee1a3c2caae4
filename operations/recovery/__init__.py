"""Puts a killed run in order. The page for users is docs/recovery.md."""
