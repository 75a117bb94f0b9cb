"""Words that no caption used lie where their meaning is."""

from __future__ import annotations

import numpy as np
import torch

from training.word_vectors import lend_rows, project


def test_a_row_is_as_long_as_any_other_and_near_what_it_was_near() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32)
    vectors[1] = vectors[0] + 0.01
    table = project(vectors, 8, std=0.5)
    assert torch.allclose(table.norm(dim=-1), torch.full((50,), 0.5 * 8**0.5))
    distances = (table - table[0]).norm(dim=-1)
    assert distances[1:].argmin() == 0


def test_a_word_near_a_trained_one_is_read_as_that_one_and_others_stay() -> None:
    # Two meanings, and a word with neither: dog, puppy, boat, yacht, very.
    vectors = np.array([[9, 1, 0], [9, 0, 1], [-9, 1, 0], [-9, 0, 1], [0, 0, -9]], np.float32)
    table, used = torch.arange(10.0).view(5, 2), torch.tensor([0, 2])
    dog, puppy, boat, yacht, very = lend_rows(table, vectors, used, lenders=used)
    assert torch.equal(dog, table[0])
    assert torch.equal(boat, table[2])
    assert torch.allclose(puppy, table[0], atol=1e-4)
    assert torch.allclose(yacht, table[2], atol=1e-4)
    assert torch.equal(very, table[4])


def test_a_word_whose_nearest_is_no_thing_keeps_its_row() -> None:
    # small, large, dog, puppy: opposites are near each other.
    vectors = np.array([[1, 0], [0.9, 0.1], [-1, 0.2], [-1, 0.1]], np.float32)
    table, used = torch.arange(4.0)[:, None], torch.tensor([0, 2])
    rows = lend_rows(table, vectors, used, lenders=torch.tensor([2]))
    assert rows[:, 0].tolist() == [0, 1, 2, 2]


def test_between_two_trained_words_the_nearer_has_the_larger_share() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0.9], [-2, -1.9]], np.float32)
    table, used = torch.tensor([[1.0], [0.0], [7.0], [9.0]]), torch.tensor([0, 1])
    between = lend_rows(table, vectors, used, lenders=used)[2]
    assert 0.5 < between < 1
