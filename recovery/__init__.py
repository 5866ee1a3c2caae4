"""Puts a run that was killed in order, so that the next plain `pulumi up` completes it: `python -m recovery`."""
