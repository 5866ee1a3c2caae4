"""What a stack says: its keys, their types, and the Helm values they become. Pure: no cluster, no resource."""
