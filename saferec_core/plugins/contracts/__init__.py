"""The protocols that plugin components follow, one module per kind."""
