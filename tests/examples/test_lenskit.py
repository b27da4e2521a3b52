"""LensKit's models beside a policy: what the example writes is what ``saferec eval --predictions`` reads."""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from saferec_core.data.record_files import read_records
from saferec_core.evaluation.predictions import read_predictions
from saferec_plugins.parsers.title_year import TitleYearParser

pytest.importorskip("lenskit", reason="needs examples/lenskit/requirements.txt, in an environment of its own")
SCRIPT = Path(__file__).parents[2] / "examples" / "lenskit" / "recommend.py"


@pytest.mark.slow
@pytest.mark.parametrize("scorer", ["popularity", "item-knn", "implicit-mf"])
def test_lists_of_a_fitted_model_are_predictions_without_seen_titles(scorer, world, tmp_path):
    for split, number in (("train", 200), ("test", 5)):
        with (world / f"{split}.jsonl").open(encoding="utf-8") as file:
            (tmp_path / f"{split}.jsonl").write_text("".join(islice(file, number)), encoding="utf-8")
    paths = (
        "--train",
        tmp_path / "train.jsonl",
        "--test",
        tmp_path / "test.jsonl",
        "--out",
        tmp_path / "o.jsonl",
    )
    subprocess.run([sys.executable, SCRIPT, scorer, *map(str, paths), "-k", "3"], check=True)

    records = dict(enumerate(read_records(tmp_path / "test.jsonl", needs={})))
    answers = read_predictions(tmp_path / "o.jsonl", records, records, TitleYearParser())
    assert [len(answer.parsed.items) for (answer,) in answers] == [3] * 5
    for (answer,), record in zip(answers, records.values(), strict=True):
        assert not any(record.has_seen(item.name, item.year, 2) for item in answer.parsed.items)
    scores = [json.loads(line)["scores"] for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert all(one == sorted(one, reverse=True) for one in scores)
