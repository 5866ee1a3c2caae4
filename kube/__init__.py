"""Kubernetes and Helm without Pulumi: how to ask a cluster, and how to read what it has."""
