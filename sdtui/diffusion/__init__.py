"""The denoising core: a prompt becomes a picture, each stage a function that one can read.

Start with `pipeline.text_to_image`. Nothing here knows the interface, the wire or the history, so
it works from a notebook as it does in the engine's worker.
"""

import os

# diffusers reads this when it is imported, which only the modules of this package do. A model is
# never a reason to run its author's code, whatever the environment says.
os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] = "1"
