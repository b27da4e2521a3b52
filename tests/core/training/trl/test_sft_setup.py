"""The samples of Safe SFT, as TRL reads them."""

from __future__ import annotations

import re

import pytest

from saferec_core.data import mapped_rows
from saferec_core.data.records import Record
from saferec_core.errors import DataError
from saferec_core.training.trl.sft_setup import _dataset
from tests import warm


@pytest.fixture
def mapped(monkeypatch):
    """Keep no more than one record in memory."""
    monkeypatch.setattr(mapped_rows, "IN_MEMORY", 1)


RECORD = Record(prompt=[{"role": "user", "content": "x" * 500}], completion=[{"role": "a", "content": "y"}])


WITHOUT_ROOM = """
import resource
from saferec_core.data import mapped_rows
from saferec_core.data.records import Record
from saferec_core.errors import DataError
from saferec_core.training.trl.sft_setup import _dataset

mapped_rows.IN_MEMORY = 1
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    _dataset([Record([{"role": "user", "content": "x" * 500}], [{"role": "a", "content": "y"}])] * 20)
except DataError as error:
    raise SystemExit(f"refused: {error}")
"""


def test_samples_that_no_disk_has_room_for_are_refused_with_what_to_do(tmp_path):
    pytest.importorskip("resource", reason="limits files by a call of Unix")
    (tmp_path / "without_room.py").write_text(WITHOUT_ROOM, encoding="utf-8")
    printed = tmp_path / "printed"
    warm.start(folder=tmp_path, output=printed, module="without_room").wait()

    assert re.search(
        r"refused: .* cannot be kept in .*saferec-rows-.*\. Set TMPDIR to a folder with more",
        printed.read_text(encoding="utf-8"),
    )


def test_a_record_that_cannot_be_read_once_more_is_named_as_it_was(mapped):
    class Damaged(list):
        def __iter__(self):
            yield RECORD
            raise DataError("row 2 is gone")

    with pytest.raises(DataError, match=r"^row 2 is gone$"):
        _dataset(Damaged([RECORD] * 20))
