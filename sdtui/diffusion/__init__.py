"""The denoising core: a prompt becomes a picture, each stage a function that one can read.

Start with `pipeline.text_to_image`. Nothing here knows the interface, the wire or the history, so
it works from a notebook as it does in the engine's worker.
"""
