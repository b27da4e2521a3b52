"""Completions of a prompt stay together, in random order of prompts."""

from __future__ import annotations

import torch

from saferec_core.training.trl.group_order import chunks_of_whole_groups, whole_groups


def test_shuffled_micro_batches_get_whole_groups_in_the_order_of_their_first_rows() -> None:
    prompts = torch.tensor([[row % 3 + 1] for row in (0, 4, 2, 1, 3, 5)])  # groups 1, 2, 3, 2, 1, 3
    rows = torch.arange(6)
    batches = [
        {"prompt_ids": prompts[part], "prompt_mask": torch.ones(2, 1), "row": rows[part], "scale": 7}
        for part in (slice(0, 2), slice(2, 4), slice(4, 6))
    ]

    regrouped = whole_groups(batches)

    assert [batch["prompt_ids"].flatten().tolist() for batch in regrouped] == [[1, 1], [2, 2], [3, 3]]
    assert torch.cat([batch["row"] for batch in regrouped]).tolist() == [0, 4, 1, 3, 2, 5]
    assert all(batch["scale"] == 7 for batch in regrouped)


def test_chunks_hold_whole_groups_even_where_fewer_rows_are_asked_for() -> None:
    prompts = torch.tensor([[0, 5, 5]] * 3 + [[7, 7, 7]] * 2 + [[0, 0, 6]] * 2)  # 0: padding
    completions = torch.full((7, 2), 9)
    ids = torch.cat([prompts, completions], dim=1)
    batch = (ids, (ids != 0).long(), 2)

    assert [chunk.tolist() for chunk in chunks_of_whole_groups(*batch, 1)] == [[0, 1, 2], [3, 4], [5, 6]]
    assert [chunk.tolist() for chunk in chunks_of_whole_groups(*batch, 4)] == [[0, 1, 2], [3, 4, 5, 6]]
