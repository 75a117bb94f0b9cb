"""The two networks that are trained together, and the vocabulary between text and ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from training.captions import caption_words
from training.config import DATA, DiffusionRecipe, Recipe
from training.pictures import Things
from training.text_encoder import TOKEN_STD, Vocabulary, build_text_encoder
from training.word_vectors import project
from training.words import words_for


def build_unet(recipe: DiffusionRecipe, sample_size: int = 16) -> UNet2DConditionModel:
    """An untrained UNet: plain convolutions at full size, cross-attention at the halved ones."""
    below = len(recipe.block_out_channels) - 1
    return UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * below),
        up_block_types=(*["CrossAttnUpBlock2D"] * below, "UpBlock2D"),
        block_out_channels=recipe.block_out_channels,
        layers_per_block=recipe.layers_per_block,
        # diffusers reads this as the number of heads, as Stable Diffusion 1.5's file has it.
        attention_head_dim=recipe.attention_heads,
        norm_num_groups=recipe.norm_num_groups,
        cross_attention_dim=recipe.text_hidden_size,
        # The caption also joins the time embedding, which scales and shifts every block.
        addition_embed_type="text",
        addition_embed_type_num_heads=recipe.text_heads,
        resnet_time_scale_shift="scale_shift",
    )


@dataclass
class Model:
    """What is trained here: both networks, and the vocabulary between text and ids."""

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    vocabulary: Vocabulary
    #: Where all tokens start, (49408, hidden).
    table: torch.Tensor

    def networks(self) -> torch.nn.ModuleList:
        """Both networks as one module, in a fixed order."""
        return torch.nn.ModuleList([self.unet, self.text_encoder])


def build_model(things: Things, recipe: Recipe, data: Path = DATA, sample_size: int = 16) -> Model:
    """Untrained networks for these things, from what training.prepare wrote."""
    torch.manual_seed(recipe.seed)
    tokenizer = CLIPTokenizer.from_pretrained(data / "tokenizer")
    spoken = words_for(things, recipe.tags, recipe.seed).spoken
    texts = caption_words(spoken, recipe.styles, recipe.places)
    vocabulary = Vocabulary(tokenizer, ["", *texts])
    with np.load(data / "word_vectors.npz") as arrays:
        table = project(arrays["vectors"], recipe.diffusion.text_hidden_size, TOKEN_STD)
    text_encoder = build_text_encoder(recipe.diffusion, vocabulary, table)
    return Model(build_unet(recipe.diffusion, sample_size), text_encoder, vocabulary, table)


def build_optimizer(
    networks: torch.nn.Module, model: Model, recipe: DiffusionRecipe
) -> torch.optim.AdamW:
    """AdamW over `networks`, with the text encoder at a rate of its own."""
    heard = {id(parameter) for parameter in model.text_encoder.parameters()}
    text = [p for p in networks.parameters() if id(p) in heard]
    others = [p for p in networks.parameters() if id(p) not in heard]
    groups = [
        {"params": text, "base": recipe.text_learning_rate, "weight_decay": 0.0},
        {"params": others, "base": recipe.learning_rate},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=recipe.weight_decay,
        fused=True,
    )
