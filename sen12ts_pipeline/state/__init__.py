"""State: the object store, the artifacts in it, and the ledger."""
