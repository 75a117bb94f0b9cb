"""Where the style sheets lie."""

from __future__ import annotations

from pathlib import Path

from sdtui.errors import SdtuiError

_PACKAGE = Path(__file__).resolve().parent.parent


def styles_dir(package: Path = _PACKAGE) -> Path:
    """The folder of the `.tcss` files: inside an installed package, else at the checkout's root."""
    for folder in (package / "styles", package.parent / "styles"):
        if (folder / "app.tcss").is_file():
            return folder
    raise SdtuiError(
        "The style sheets are missing",
        f"Neither {package / 'styles'} nor {package.parent / 'styles'} holds app.tcss.",
        "Reinstall sdtui.",
    )
