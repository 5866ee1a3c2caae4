"""The check in previews: everything that would be refused is told before anything is touched."""
