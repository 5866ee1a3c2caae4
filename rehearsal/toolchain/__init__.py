"""The programs of a rehearsal: which they are, how they are installed, where they lie."""
