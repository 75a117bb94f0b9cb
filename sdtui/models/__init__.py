"""Which models can be loaded, and the one that comes along (`pocket`)."""
