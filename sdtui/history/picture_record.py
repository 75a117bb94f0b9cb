"""What a saved picture says about itself, in full."""

from __future__ import annotations

import msgspec

from sdtui.params import GenerationParams


class PictureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under `sdtui` in a saved PNG, as JSON.

    `guidance_adjustments` are pairs of step index and the guidance scale from that step on, where
    the user changed it during the run. `unet_sha256` is the hash of the U-Net's weights file, empty
    where it was not known when the picture was saved.
    """

    version: str
    params: GenerationParams
    guidance_adjustments: list[tuple[int, float]] = []
    unet_sha256: str = ""
