"""The picture and the table of README.md, and the tools that make them."""

import io
import runpy
from pathlib import Path

import pytest

from saferec_core.analysis.results import MetricFacts, results_of

ROOT = Path(__file__).parents[2]
if not (ROOT / "tools").is_dir():
    pytest.skip("the tools are not part of this copy", allow_module_level=True)
FACTS = {
    "recall@5": MetricFacts("higher", "mean", "", "Recall", role="relevance"),
    "ndcg@5": MetricFacts("higher", "mean", "", "NDCG", role="relevance"),
    "sensitivity_ratio@5": MetricFacts("lower", "mean", "", "Sensitivity Ratio", "share of titles", "safety"),
    "any_violation@5": MetricFacts("lower", "share", "", "Any violation", "share of lists", "safety"),
}


def evaluation(value, *, protocol="p"):
    row = {"sample": 0, "user": None, "constraints": [], "prompt": [], "groundtruth": [], "titles": []}
    rows = [{**row, "record": n, "completion": "", "events": []} for n in range(4)]
    values = {name: [value] * 4 for name in FACTS}
    return results_of(
        rows, values, protocol={"id": protocol}, policy="p", data_sha256="0" * 64, metrics=FACTS
    )


def test_the_picture_of_the_report_is_small():
    picture = (ROOT / "docs" / "report.png").read_bytes()

    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 200_000
    assert "docs/report.png" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_picture_of_the_idea_is_what_its_tool_draws_and_the_pages_show_it(monkeypatch):
    monkeypatch.setattr("sys.argv", ["idea_picture.py", "--check"])
    runpy.run_path(str(ROOT / "tools" / "idea_picture.py"), run_name="__main__")

    for page, prefix in (("README.md", "docs/"), ("docs/index.md", "")):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert {f"{prefix}idea-{scheme}.svg" in text for scheme in ("light", "dark")} == {True}


def test_a_picture_shrinks_to_few_colors_and_keeps_its_size():
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    pytest.importorskip("selenium", reason="needs selenium")
    tool = runpy.run_path(str(ROOT / "tools" / "report_picture.py"))
    shades = image.new("RGB", (64, 64))
    shades.putdata([(x * 4, y * 4, 128) for x in range(64) for y in range(64)])
    drawn = io.BytesIO()
    shades.save(drawn, "PNG")

    small = image.open(io.BytesIO(tool["shrunk"](drawn.getvalue())))

    assert small.size == (64, 64)
    assert len(small.getcolors()) <= 96


def test_a_table_has_a_row_for_each_recommender_and_refuses_other_protocols():
    table = runpy.run_path(str(ROOT / "tools" / "baseline_table.py"))["table"]

    head, _, first, second, _, foot = table([("A", evaluation(0.25)), ("B", evaluation(1.0))], 5).splitlines()

    assert head == "| | Recall@5 | NDCG@5 | Sensitivity Ratio@5 | Any violation@5 |"
    assert first.startswith("| A | 0.25")
    assert second.startswith("| B | 1")
    assert "25%" in first
    assert foot == "Protocol: `p`, 4 lists."
    with pytest.raises(SystemExit, match="B was evaluated by another protocol"):
        table([("A", evaluation(0.25)), ("B", evaluation(0.25, protocol="q"))], 5)
