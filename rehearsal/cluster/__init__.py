"""The throwaway Kubernetes of a rehearsal."""
