"""The report in a real browser: headless Chromium, driven through Selenium."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from saferec_core.report import write_report

selenium = pytest.importorskip("selenium", reason="needs selenium (pip install selenium)")

from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

MAKER = Path(__file__).parents[2] / "benchmarks" / "report.py"
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)

CONTRAST = """
const parsed = (text) => {
  const found = text.match(/[\\d.]+/g).map(Number);
  return [...found.slice(0, 3), found.length > 3 ? found[3] : 1];
};
const over = ([r, g, b, a], below) => [r, g, b].map((value, n) => a * value + (1 - a) * below[n]);
const light = (color) => {
  const [r, g, b] = color
    .map((value) => value / 255)
    .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  const color = parsed(getComputedStyle(element).backgroundColor);
  if (color[3] === 1 || !element.parentElement) return color[3] === 1 ? color.slice(0, 3) : [255, 255, 255];
  return over(color, ground(element.parentElement));
};
const poor = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  const skipped = "script, svg, :disabled, option";
  const text = walker.currentNode.textContent.trim();
  if (!text || !element.checkVisibility() || element.closest(skipped)) continue;
  const back = ground(element);
  const [a, b] = [light(over(parsed(getComputedStyle(element).color), back)), light(back)];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) poor.push([element.className || element.tagName, element.textContent, ratio.toFixed(2)]);
}
return poor;
"""
"""Text whose contrast is below 4.5 : 1 (WCAG 2.2, level AA)."""


@pytest.fixture(scope="module")
def maker():
    """What makes runs up for the benchmark."""
    if not MAKER.is_file():
        pytest.skip("benchmarks/report.py, which makes the runs up, is not beside the tests")
    spec = importlib.util.spec_from_file_location("made_up_runs", MAKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(maker, tmp_path_factory):
    """A run of 50 steps, in whose first rollout somebody tried to write scripts."""
    run = tmp_path_factory.mktemp("runs") / "made-up"
    maker.make_run(run, steps=50, people=60)
    path = run / "rollouts.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows[0]["prompt"] = [{"role": "user", "content": HOSTILE}]
    rows[0]["titles"][0][0] = HOSTILE
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return run


@pytest.fixture(scope="module")
def rollouts(folder):
    """The run's rollouts as they were stored."""
    return [json.loads(line) for line in (folder / "rollouts.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def page(folder):
    """Where the report on that run lies."""
    return write_report([folder], folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def driver():
    """A headless Chromium without access to anything."""
    binaries = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if missing := [name for name, path in binaries.items() if path is None]:
        pytest.skip(f"needs {' and '.join(missing)} (Debian packages chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binaries["chromium"]
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(binaries["chromedriver"]))
    yield browser
    browser.quit()


@pytest.fixture
def opened(driver, page):
    """Open the page in a window of a size and theme, and wait until everything is drawn."""

    def visit(address=page, *, width=1280, height=900, theme="light"):
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        features = [("prefers-color-scheme", theme), ("prefers-reduced-motion", "reduce")]
        driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": name, "value": value} for name, value in features]},
        )
        driver.get_log("browser")
        driver.get_log("performance")
        driver.get(address)
        WebDriverWait(driver, 60).until(
            lambda page: page.execute_script(
                "return [...document.querySelectorAll('.chart')].every((chart) => chart.dataset.drawn) &&"
                "(!document.getElementById('count') || document.getElementById('count').textContent !== '')"
            )
        )
        return driver

    return visit


def console_log(driver):
    """What the console reports, at any level."""
    return [entry["message"] for entry in driver.get_log("browser")]


def count(driver):
    return driver.find_element(By.ID, "count").text


def choose(driver, name, value):
    Select(driver.find_element(By.NAME, name)).select_by_visible_text(value)


def tick(driver, name):
    """Tick the box of a filter, which is drawn as its label."""
    driver.find_element(By.NAME, name).find_element(By.XPATH, "..").click()


def column(driver, number):
    table = driver.find_element(By.CSS_SELECTOR, "#results table.sortable")
    cells = table.find_elements(By.CSS_SELECTOR, f"tbody tr > :nth-child({number})")
    return [cell.get_attribute("data-sort") for cell in cells]


# --- loading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 820, 390])
def test_the_page_loads_without_a_word_on_the_console_and_without_scrolling_sideways(opened, width, theme):
    driver = opened(width=width, theme=theme)

    assert console_log(driver) == []
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    drawn = driver.execute_script(
        "return [...document.querySelectorAll('.chart svg')].map((s) => s.clientWidth)"
    )
    assert len(drawn) == len(driver.find_elements(By.CLASS_NAME, "chart")) == 12
    assert min(drawn) > 100


def test_nothing_is_asked_of_the_network(opened, page):
    driver = opened()
    entries = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [
        entry["params"]["request"]["url"]
        for entry in entries
        if entry["method"] == "Network.requestWillBeSent"
    ]

    assert set(asked) - {page, "data:,"} == set()


def test_what_the_data_holds_is_shown_and_never_run(opened):
    driver = opened()

    assert driver.title == "made-up: saferec report"
    shown = driver.find_element(By.ID, "shown").text
    assert HOSTILE in shown
    assert driver.find_elements(By.CSS_SELECTOR, "#shown img, #shown script") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(opened, theme):
    driver = opened(theme=theme)
    driver.execute_script("for (const part of document.querySelectorAll('details')) part.open = true")

    assert driver.execute_script(CONTRAST) == []


def test_charts_follow_the_theme(opened):
    def ink():
        return driver.execute_script(
            "const chart = document.querySelector('.chart[data-drawn] svg');"
            "const label = getComputedStyle(chart.querySelector('text')).fill;"
            "return [label, getComputedStyle(document.body).color]"
        )

    driver = opened(theme="light")
    light = ink()
    driver = opened(theme="dark")
    dark = ink()

    assert light[0] != dark[0]
    assert light[1] != dark[1]


def test_charts_tell_their_figures_where_the_pointer_is(opened):
    driver = opened()
    for chart in driver.find_elements(By.CLASS_NAME, "chart"):
        driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
        marks = chart.find_elements(By.CSS_SELECTOR, ".mark-rect.role-mark path, .mark-path.role-mark path")
        mark = (marks or chart.find_elements(By.CSS_SELECTOR, ".mark-symbol.role-mark path"))[-1]
        ActionChains(driver).move_to_element(mark).perform()
        tip = driver.find_element(By.ID, "vg-tooltip-element")
        WebDriverWait(driver, 5).until(lambda _, tip=tip: "visible" in tip.get_attribute("class"))
        assert "undefined" not in tip.text
        assert "NaN" not in tip.text
        assert "made-up" in tip.text or "trait" in tip.text
        ActionChains(driver).move_to_element(driver.find_element(By.ID, "count")).perform()


# --- tables ----------------------------------------------------------------------------------------


def test_a_column_sorts_by_its_numbers_from_the_keyboard(opened):
    driver = opened()
    button = driver.find_elements(By.CSS_SELECTOR, "#results table.sortable thead button")[2]
    head = button.find_element(By.XPATH, "..")
    button.send_keys(Keys.ENTER)

    assert head.get_attribute("aria-sort") == "descending"
    numbers = [float(value) for value in column(driver, 3)]
    assert numbers == sorted(numbers, reverse=True)
    button.send_keys(Keys.SPACE)
    assert head.get_attribute("aria-sort") == "ascending"
    assert [float(value) for value in column(driver, 3)] == sorted(numbers)
    assert len(driver.find_elements(By.CSS_SELECTOR, "#results [aria-sort]")) == 1


# --- the lists -------------------------------------------------------------------------------------


def test_filters_leave_what_they_say(opened, rollouts):
    driver = opened()
    everything = len(rollouts) + 240  # 60 users, before and after, greedy and sampled

    assert count(driver) == f"{everything:,} of {everything:,} completions"
    choose(driver, "when", "training, step 1")
    first = [row for row in rollouts if row["step"] == 1]
    assert count(driver).startswith(f"{len(first)} of")
    left = first
    for name in ("violated", "hit", "seen", "repeated"):
        tick(driver, "violation" if name == "violated" else name)
        left = [row for row in left if any(row[name])]
        assert count(driver).startswith(f"{len(left)} of")
    assert len(driver.find_elements(By.CSS_SELECTOR, "#matches li")) == min(len(left), 80)


def test_lists_are_found_by_constraint_and_by_words(opened, rollouts):
    driver = opened()
    trait = rollouts[-1]["constraints"][0]
    choose(driver, "trait", trait)
    number = int(count(driver).split(" ")[0].replace(",", ""))
    assert number >= sum(trait in row["constraints"] for row in rollouts)
    shown = driver.find_elements(By.CSS_SELECTOR, "#matches .traits")
    assert all(trait in part.text for part in shown)
    choose(driver, "trait", "any")
    driver.find_element(By.NAME, "text").send_keys("</SCRIPT>")
    assert count(driver).startswith("8 of")  # siblings share the prompt
    driver.find_element(By.NAME, "text").send_keys(" nobody wrote this")
    assert count(driver).startswith("0 of")
    assert "No completion passes the filters" in driver.find_element(By.ID, "shown").text


def test_a_ranks_tooltip_says_what_it_earned_and_why_it_violates(opened, rollouts):
    driver = opened()
    tick(driver, "violation")
    row = next(row for row in rollouts if any(row["violated"]))
    rank = next(n for n, violated in enumerate(row["violated"]) if violated)
    item = driver.find_elements(By.CSS_SELECTOR, ".ranks li")[rank]
    ActionChains(driver).scroll_to_element(item).move_to_element(item).perform()
    tip = driver.find_element(By.ID, "tip")
    (name, year), evidence = row["titles"][rank], row["evidence"][rank][0]

    def written(number):
        return f"{'+' if number > 0 else '−' if number < 0 else ''}{abs(number):.3f}"

    assert tip.is_displayed()
    lines = tip.text.split("\n")
    assert lines[0] == f"{rank + 1}. {name} ({year})"
    assert "violation" in lines[1]
    pairs = dict(zip(lines[2:10:2], lines[3:10:2], strict=True))
    assert pairs == {
        "relevance × 1": written(row["reward"]["relevance"][rank]),
        "safety × 1": "−1.000",
        "count (whole list) × 0.5": written(row["reward"]["count"]),
        "advantage": written(row["advantage"][rank]),
    }
    assert lines[10] == f"{evidence['trait']}: risk {evidence['risk']:.2f}"
    assert lines[11] == f"parent-guide: {evidence['detail']}"


def test_ranks_are_told_apart_by_signs_and_words_and_not_by_color_alone(opened, rollouts):
    driver = opened()
    items = driver.find_elements(By.CSS_SELECTOR, ".ranks li")
    signs = {
        "violation": "✕",
        "repeated title": "↻",
        "already seen": "◉",
        "not in the catalog": "∅",
        "unknown to the oracle": "?",
        "hit": "✓",
    }
    row = rollouts[0]

    assert len(items) == len(row["titles"])
    for rank, item in enumerate(items):
        label = item.get_attribute("aria-label")
        shown = item.find_element(By.CLASS_NAME, "signs2").text.split()
        words = label.rpartition(": ")[2].split(", ")
        expected = [signs[word] for word in words if word in signs]
        assert shown == (expected or ["·"])
        assert ("✓" in shown) == row["hit"][rank]
        assert ("✕" in shown) == bool(row["violated"][rank])
        assert ("↻" in shown) == row["repeated"][rank]
        assert ("◉" in shown) == row["seen"][rank]


def test_tooltips_come_with_the_focus_and_go_with_escape(opened):
    driver = opened()
    rank = driver.find_elements(By.CSS_SELECTOR, ".ranks li")[1]
    driver.execute_script("arguments[0].focus()", rank)
    tip = driver.find_element(By.ID, "tip")

    assert tip.is_displayed()
    assert rank.get_attribute("aria-describedby") == "tip"
    ActionChains(driver).send_keys(Keys.ESCAPE).perform()
    assert not tip.is_displayed()


def test_tokens_are_shaded_by_the_sign_and_size_of_their_advantage(opened, rollouts):
    driver = opened()
    row = rollouts[0]
    runs = driver.find_elements(By.CSS_SELECTOR, ".completion .run")

    assert len(runs) == len(row["tokens"])
    assert "".join(run.get_attribute("textContent") for run in runs) == f"{row['completion']}end"
    tokens = [run.find_elements(By.CLASS_NAME, "token") for run in runs]
    assert [len(run) for run in tokens[:-1]] == [len(starts) for _, starts in row["tokens"][:-1]]
    for run, (rank, _) in zip(runs, row["tokens"], strict=True):
        advantage = row["list_advantage"] if rank is None else row["advantage"][rank]
        assert f"var(--{'up' if advantage > 0 else 'down'})" in run.get_attribute("style")


def test_siblings_and_neighbours_are_a_key_away(opened, rollouts):
    driver = opened()
    second = driver.find_elements(By.CSS_SELECTOR, ".siblings button")[1]
    second.send_keys(Keys.ENTER)

    assert driver.find_element(By.CSS_SELECTOR, "#shown h3").text.endswith("completion 2 of 8")
    driver.find_element(By.CSS_SELECTOR, '[data-step="1"]').send_keys(Keys.ENTER)
    assert driver.find_element(By.CSS_SELECTOR, "#shown h3").text.endswith("completion 3 of 8")
    titles = driver.find_elements(By.CSS_SELECTOR, ".ranks li")
    assert len(titles) == len(rollouts[2]["titles"])
    current = driver.find_element(By.CSS_SELECTOR, '#matches [aria-current="true"] .where')
    assert current.text.endswith("3 of 8")


def test_arrow_keys_walk_through_the_lists_and_through_the_siblings(opened):
    driver = opened()

    def heading():
        return driver.find_element(By.CSS_SELECTOR, "#shown h3").text

    driver.execute_script("document.getElementById('shown').focus()")
    keys = ActionChains(driver)
    keys.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT).perform()
    assert heading().endswith("completion 3 of 8")
    ActionChains(driver).send_keys(Keys.ARROW_LEFT).perform()
    assert heading().endswith("completion 2 of 8")
    ActionChains(driver).send_keys(Keys.ARROW_DOWN).perform()
    assert heading().endswith("completion 3 of 8")
    ActionChains(driver).send_keys(Keys.ARROW_UP, Keys.ARROW_UP).perform()
    assert heading().endswith("completion 1 of 8")
    search = driver.find_element(By.NAME, "text")
    search.send_keys("a", Keys.ARROW_DOWN)
    assert heading().endswith("completion 1 of 8")  # a key typed into a field is the field's


def test_a_link_leads_back_to_the_list_it_was_taken_from(opened, page):
    driver = opened()
    driver.find_elements(By.CSS_SELECTOR, ".siblings button")[4].click()
    address = driver.current_url
    heading = driver.find_element(By.CSS_SELECTOR, "#shown h3").text

    assert heading.endswith("completion 5 of 8")
    assert driver.find_element(By.CSS_SELECTOR, ".steps a").get_attribute("href") == address
    driver.get("about:blank")
    driver = opened(address)
    assert driver.find_element(By.CSS_SELECTOR, "#shown h3").text == heading
    current = driver.find_element(By.CSS_SELECTOR, '#matches [aria-current="true"] .where')
    assert current.text.endswith("5 of 8")
    driver.get("about:blank")
    driver = opened(f"{page}#list/made-up/step-1/record-0/99")
    assert "does not hold the completion" in driver.find_element(By.ID, "shown").text


def test_held_out_lists_stand_side_by_side_before_and_after(opened):
    driver = opened()
    choose(driver, "when", "held out, greedy")
    sides = driver.find_elements(By.CSS_SELECTOR, "#shown .side")

    assert [side.get_attribute("aria-label") for side in sides] == ["before", "after"]
    assert [side.get_attribute("aria-current") for side in sides] == ["true", None]
    tops = {side.rect["y"] for side in sides}
    assert len(tops) == 1
    assert all(side.find_elements(By.CSS_SELECTOR, ".ranks li") for side in sides)


def test_no_axis_shows_one_label_twice(opened, maker, tmp_path):
    maker.make_run(tmp_path / "flat", steps=3, people=60, skill=0.001)
    driver = opened(write_report([tmp_path / "flat"], tmp_path / "flat.html").as_uri(), width=390)
    axes = driver.execute_script(
        "return [...document.querySelectorAll('.chart svg .role-axis')].map((axis) =>"
        "[...axis.querySelectorAll('.role-axis-label text')].filter((t) => t.style.opacity !== '0')"
        ".map((t) => t.textContent))"
    )

    assert len(axes) > 12
    assert [labels for labels in axes if len(labels) != len(set(labels))] == []


def test_several_runs_are_compared_and_named(opened, maker, folder, tmp_path):
    maker.make_run(tmp_path / "other", steps=10, people=60, skill=0.2, seed=9)
    out = write_report([folder, tmp_path / "other"], tmp_path / "both.html")
    driver = opened(out.as_uri(), width=390)

    assert console_log(driver) == []
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    boards = driver.find_elements(By.CLASS_NAME, "board")
    assert [board.get_attribute("aria-label") for board in boards] == ["Greedy lists", "Sampled lists"]
    assert "Recall@10" in boards[0].text
    choose(driver, "run", "other")
    shown = driver.find_elements(By.CSS_SELECTOR, "#matches .where")
    assert shown
    assert all(part.text.startswith("other: ") for part in shown)
