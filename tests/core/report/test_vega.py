"""The scripts of a page are bundled once on a machine."""

import pytest

from saferec_core.report import vega


@pytest.fixture(autouse=True)
def bundles(monkeypatch, tmp_path):
    """Give the cache a folder of its own, and count what is bundled."""
    made = []

    def bundled(vegalite):
        made.append(vegalite)
        return "draw();\r// bundled\n"

    monkeypatch.setenv("SAFEREC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(vega, "_bundled", bundled)
    return made


def script():
    """Ask as a new process does."""
    vega.vega_script.cache_clear()
    return vega.vega_script()


@pytest.fixture(autouse=True)
def _forgotten():
    yield
    vega.vega_script.cache_clear()


def test_a_second_process_does_not_bundle_again_and_has_the_same_script_to_the_byte(bundles):
    first, second = script(), script()

    assert first == second == "draw();\r// bundled\n"
    assert len(bundles) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"alert()", b"\xff\xfe", b"0" * 64 + b"\nalert()"],
    ids=["empty", "unsealed", "binary", "sealed wrongly"],
)
def test_a_damaged_script_is_bundled_again(bundles, tmp_path, content):
    script()
    (kept,) = (tmp_path / "cache").glob("vega-*.js")
    kept.write_bytes(content)

    assert script() == "draw();\r// bundled\n"
    assert len(bundles) == 2


def test_without_a_folder_to_write_to_pages_are_made_all_the_same(bundles, tmp_path):
    (tmp_path / "cache").write_text("a file stands here")

    assert script() == script() == "draw();\r// bundled\n"
    assert len(bundles) == 2


def test_what_would_end_the_element_of_a_script_is_replaced_also_in_a_kept_bundle(monkeypatch):
    monkeypatch.setattr(vega, "_bundled", lambda _: "'</script><!--'")

    assert script() == script() == r"'<\/script>\x3c!--'"
