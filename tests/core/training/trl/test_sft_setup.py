"""The samples of Safe SFT, as TRL reads them."""

from __future__ import annotations

import pytest

from saferec_core.data import mapped_rows
from saferec_core.data.records import Record
from saferec_core.errors import DataError
from saferec_core.training.trl.sft_setup import _dataset

resource = pytest.importorskip("resource", reason="limits files by a call of Unix")


@pytest.fixture
def mapped(monkeypatch):
    """Keep no more than one record in memory."""
    monkeypatch.setattr(mapped_rows, "IN_MEMORY", 1)


@pytest.fixture
def full_disk():
    """Let no file of this process grow beyond 1,000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


RECORD = Record(prompt=[{"role": "user", "content": "x" * 500}], completion=[{"role": "a", "content": "y"}])


def test_samples_that_no_disk_has_room_for_are_refused_with_what_to_do(mapped, full_disk):
    with pytest.raises(
        DataError, match=r"cannot be kept in .*saferec-rows-.*\. Set TMPDIR to a folder with more"
    ):
        _dataset([RECORD] * 20)


def test_a_record_that_cannot_be_read_once_more_is_named_as_it_was(mapped):
    class Damaged(list):
        def __iter__(self):
            yield RECORD
            raise DataError("row 2 is gone")

    with pytest.raises(DataError, match=r"^row 2 is gone$"):
        _dataset(Damaged([RECORD] * 20))
