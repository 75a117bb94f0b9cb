"""The terminal interface: it watches the engine, and never imports torch."""
