"""sdtui: Stable Diffusion in a terminal, with nothing hidden."""

__version__ = "0.1.0"
