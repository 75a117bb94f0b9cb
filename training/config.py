"""What a training run is made of: sizes, budgets and rates, as named recipes.

`toy` runs in seconds, `cpu` in two to three hours on two cores, `cpu-styles` in less than two hours
from the weights of `cpu`, `cpu-300`, `cpu-350` and `cpu-400` in an hour and a half each from the
weights of the one before, `h100` in about twenty minutes on one GPU. `toy-compiled` tries what all
but `toy` and `cpu` have more: torch.compile and bfloat16.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from training.places import CENTRED, PLACES
from training.styles import DEFAULT_STYLE, STYLES

DATA = Path(__file__).parent / "data"
RUNS = Path(__file__).parent / "runs"


@dataclass(frozen=True, kw_only=True)
class VAERecipe:
    """The autoencoder between pixels and latents, eight times smaller each way."""

    minutes: float
    block_out_channels: tuple[int, ...] = (16, 32, 64, 128)
    layers_per_block: int = 1
    norm_num_groups: int = 8
    batch_size: int = 8
    crop_size: int = 64
    #: Share of the steps that see whole pictures (with a quarter of the batch), not crops.
    whole_pictures: float = 0.25
    learning_rate: float = 1.5e-3
    edge_weight: float = 1.0
    kl_weight: float = 1e-4
    ema_decay: float = 0.998


@dataclass(frozen=True, kw_only=True)
class DiffusionRecipe:
    """The UNet and the text encoder, trained together on latents."""

    minutes: float
    block_out_channels: tuple[int, ...] = (64, 128, 160)
    layers_per_block: int = 1
    attention_heads: int = 4
    norm_num_groups: int = 16
    text_hidden_size: int = 128
    text_layers: int = 3
    text_heads: int = 4
    #: Steps that teach the text encoder alone, and captions in each.
    text_steps: int = 700
    text_captions: int = 64
    #: Captions a step, each seen at two noise levels.
    captions: int = 16
    learning_rate: float = 1.5e-3
    text_learning_rate: float = 5e-4
    weight_decay: float = 0.01
    #: Share of the captions that are empty, for guidance.
    dropped_captions: float = 0.1
    ema_decay: float = 0.995
    #: Below 1, the first timesteps lean towards noise, where the caption alone says what to draw.
    timestep_exponent: float = 0.65


@dataclass(frozen=True, kw_only=True)
class ClassifierRecipe:
    """The judge of generated pictures."""

    steps: int = 900
    batch_size: int = 64
    learning_rate: float = 3e-3
    channels: tuple[int, ...] = (32, 64, 128, 192)
    #: Convolutions at each size; the first of them halves the picture.
    convolutions: int = 1


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole run: `python -m training.train NAME` writes to training/runs/NAME."""

    name: str
    vae: VAERecipe
    diffusion: DiffusionRecipe
    classifier: ClassifierRecipe = ClassifierRecipe()
    #: All things that were prepared, or those that things.toml chooses; and of them the first few.
    everything: bool = False
    most: int | None = None
    #: How many of the first things the runs had that led to the weights which this one begins from,
    #: in their order.
    stages: tuple[int, ...] = ()
    styles: tuple[str, ...] = (DEFAULT_STYLE,)
    places: tuple[str, ...] = (CENTRED,)
    #: Whether captions also use emojibase's tags, where a tag is one thing's alone.
    tags: bool = False
    seed: int = 0
    threads: int | None = None
    device: str = "cpu"
    #: Autocast dtype on the device, or None for plain float32.
    autocast: str | None = None
    compile: bool = False
    checkpoint_minutes: float = 4.0
    #: Share of the pairs of picture (a thing in a style) and background that the UNet and the text
    #: encoder never see. The autoencoder sees all.
    held_out: float = 0.1

    @property
    def known(self) -> int:
        """How many of the first things the weights draw already that the run begins from."""
        return self.stages[-1] if self.stages else 0


TOY = Recipe(
    name="toy",
    vae=VAERecipe(minutes=0.02, block_out_channels=(8, 8, 8, 16), crop_size=32),
    diffusion=DiffusionRecipe(
        minutes=0.03,
        block_out_channels=(16, 16, 32),
        attention_heads=2,
        norm_num_groups=8,
        text_hidden_size=16,
        text_layers=1,
        text_heads=2,
        text_steps=3,
        text_captions=4,
        captions=4,
    ),
    classifier=ClassifierRecipe(steps=5, batch_size=8, channels=(8, 8, 8, 8)),
    most=8,
    styles=tuple(STYLES),
    places=(CENTRED, "small", "top left"),
    tags=True,
    checkpoint_minutes=0.01,
)

CPU_STYLES = Recipe(
    name="cpu-styles",
    vae=VAERecipe(minutes=40),
    diffusion=DiffusionRecipe(minutes=107, captions=32),
    classifier=ClassifierRecipe(steps=3000),
    most=261,
    styles=tuple(STYLES),
    places=tuple(PLACES),
    threads=1,
    autocast="bfloat16",
    compile=True,
)


def more_things(most: int, *, minutes: float, stages: tuple[int, ...]) -> Recipe:
    """`cpu-400` and its like: a few more things for weights that have been through `stages`."""
    return replace(
        CPU_STYLES,
        name=f"cpu-{most}",
        most=most,
        stages=stages,
        diffusion=replace(
            CPU_STYLES.diffusion,
            minutes=minutes,
            learning_rate=5e-4,
            text_learning_rate=3e-4,
        ),
    )


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        TOY,
        replace(TOY, name="toy-compiled", autocast="bfloat16", compile=True),
        Recipe(
            name="cpu",
            vae=VAERecipe(minutes=40),
            diffusion=DiffusionRecipe(minutes=135),
            most=261,
            threads=1,
        ),
        CPU_STYLES,
        more_things(300, minutes=87, stages=(261,)),
        more_things(350, minutes=80, stages=(261, 300)),
        more_things(400, minutes=85, stages=(261, 300, 350)),
        Recipe(
            name="h100",
            vae=VAERecipe(minutes=4.5, batch_size=512, whole_pictures=0.5, ema_decay=0.999),
            diffusion=DiffusionRecipe(
                minutes=11,
                text_steps=2000,
                text_captions=512,
                captions=512,
                ema_decay=0.9995,
            ),
            classifier=ClassifierRecipe(
                steps=4000, batch_size=512, channels=(64, 128, 256, 384), convolutions=2
            ),
            everything=True,
            styles=tuple(STYLES),
            places=tuple(PLACES),
            tags=True,
            device="cuda",
            autocast="bfloat16",
            compile=True,
            checkpoint_minutes=2.0,
        ),
    )
}
