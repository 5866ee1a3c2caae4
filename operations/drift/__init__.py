"""What users changed by hand in the cluster. The page for them is docs/drift.md."""
