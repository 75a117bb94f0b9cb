"""The durable engine: a supervisor without torch, and the worker that it drives.

The supervisor lives in a session of its own, so that a lost terminal costs nothing; the worker
is its child, so that a crash of the model's process costs one retry.
"""
