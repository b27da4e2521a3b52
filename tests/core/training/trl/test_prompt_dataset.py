"""Prompts as TRL reads them."""

from __future__ import annotations

import copy

from saferec_core.data.records import Record
from saferec_core.training.trl.prompt_dataset import prompt_dataset


class Watched(list):
    """Records that cannot be pickled, and note which are read."""

    def __init__(self, records):
        super().__init__(records)
        self.read = []

    def __getitem__(self, position):
        self.read.append(position)
        return super().__getitem__(position)

    def __reduce_ex__(self, protocol):
        raise AssertionError("the records were pickled")


def test_a_prompt_is_read_from_its_record_when_it_is_asked_for_and_not_before():
    turns = [[{"role": "user", "content": f"prompt {n}"}] for n in range(5)]
    records = Watched(Record(prompt=prompt) for prompt in turns)

    dataset = copy.deepcopy(prompt_dataset(records))
    assert records.read == []

    assert dataset[3] == {"record": 3, "prompt": turns[3]}
    assert dataset[[4, 0]]["prompt"] == [turns[4], turns[0]]
    assert records.read == [3, 4, 0]
