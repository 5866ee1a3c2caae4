"""The dress rehearsal: any stack, by the real engine, on a throwaway Kubernetes. Run `python -m rehearsal --help`."""
