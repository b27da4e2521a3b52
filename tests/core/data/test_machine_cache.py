"""Texts that are made once on a machine; files derived from others are tested with catalogs and risks."""

import pytest

from saferec_core.data.machine_cache import text_made_once


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SAFEREC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def never():
    pytest.fail("it was made anew")


def test_a_text_is_made_once_and_read_to_the_letter_from_then_on(cache):
    text = "a\r\nb\nü\n"

    assert text_made_once("one.js", lambda: text) == text
    assert text_made_once("one.js", never) == text
    assert [path.name for path in cache.iterdir()] == ["one.js"]


def test_a_text_of_another_name_is_another_text(cache):
    text_made_once("one.js", lambda: "one")

    assert text_made_once("two.js", lambda: "two") == "two"


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-1], lambda content: content + b"x", lambda _: b"", lambda _: b"\xff\n\xff"],
    ids=["cut", "longer", "empty", "not text"],
)
def test_a_damaged_file_is_replaced(cache, damage):
    text_made_once("one.js", lambda: "one")
    (cache / "one.js").write_bytes(damage((cache / "one.js").read_bytes()))

    assert text_made_once("one.js", lambda: "again") == "again"
    assert text_made_once("one.js", never) == "again"


def test_without_a_folder_that_can_be_written_the_text_is_made_each_time(cache):
    cache.write_text("a file", encoding="utf-8")

    assert text_made_once("one.js", lambda: "one") == "one"
    assert text_made_once("one.js", lambda: "two") == "two"
