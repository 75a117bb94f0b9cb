"""The wire between the interface, the engine and its worker: typed requests and events.

Nothing here imports torch or Textual. Tensors never cross: pictures are RGB8 bytes, statistics
numbers, tokens pairs of id and text.
"""
