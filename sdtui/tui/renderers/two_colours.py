"""The two colours that come nearest to the pixels of a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sdtui.tui.renderers.blocks import Bytes, Fit

Floats = NDArray[np.float32]


def two_colours(pixels: Bytes) -> Fit:
    """The nearest cells to pixels of (rows, columns, count, 3); a shape's bit n: pixel n is ink.

    The pixels of a cell are put in order along the line from their mean to the one that is
    furthest from it, and cut where both parts' squared distances from their means are least. These
    are the pixels' own squares less |sum|²/count of each part, so that these are to be largest.
    """
    rows, columns, count, _ = pixels.shape
    flat = pixels.reshape(-1, count, 3).astype(np.float32)
    cells = np.arange(len(flat))
    offsets = flat - flat.mean(axis=1, keepdims=True)
    furthest = offsets[cells, np.einsum("cpx,cpx->cp", offsets, offsets).argmax(axis=1)]
    order = np.einsum("cpx,cx->cp", offsets, furthest).argsort(axis=1)

    sums = np.take_along_axis(flat, order[:, :, None], axis=1).cumsum(axis=1)
    total = sums[:, -1:]
    sizes = np.arange(1, count, dtype=np.float32)
    inks, papers = sums[:, :-1], total - sums[:, :-1]
    gain = np.einsum("cpx,cpx->cp", inks, inks) / sizes
    gain += np.einsum("cpx,cpx->cp", papers, papers) / (count - sizes)
    cut = gain.argmax(axis=1)

    is_ink = np.zeros((len(flat), count), dtype=bool)
    np.put_along_axis(is_ink, order, np.arange(count) <= cut[:, None], axis=1)
    ink = _rounded(inks[cells, cut] / sizes[cut, None])
    paper = _rounded(papers[cells, cut] / (count - sizes[cut, None]))
    shown = np.where(is_ink[:, :, None], ink[:, None], paper[:, None])
    return Fit(
        (is_ink << np.arange(count)).sum(axis=1).reshape(rows, columns),
        ink.reshape(rows, columns, 3),
        paper.reshape(rows, columns, 3),
        shown.reshape(pixels.shape),
    )


def _rounded(colours: Floats) -> Bytes:
    return (colours + 0.5).astype(np.uint8)
