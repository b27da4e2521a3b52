"""Photograph the first screen of a report for README.md, in headless Chromium, without its date.

python tools/report_picture.py runs/demo/report.html docs/report.png
"""

from __future__ import annotations

import argparse
import base64
import io
import shutil
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

__all__ = ["photograph", "shrunk"]

WIDTH = 1200
"""Pixels."""
LARGEST = 200_000
"""Bytes that a picture may have."""
_BOARDS = (
    "return [...document.querySelectorAll('.board')].map((board) => board.getBoundingClientRect().bottom)"
)
_DRAWN = "return [...document.querySelectorAll('.chart')].every((chart) => chart.dataset.drawn)"


def photograph(page: Path, *, boards: int = 4) -> bytes:
    """Return the top of a report down to the end of its first *boards*, as PNG."""
    options = webdriver.ChromeOptions()
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--window-size={WIDTH},900",
    ):
        options.add_argument(flag)
    if (binary := shutil.which("chromium")) is not None:
        options.binary_location = binary
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.get(page.resolve().as_uri())
        WebDriverWait(driver, 120).until(lambda shown: shown.execute_script(_DRAWN))
        driver.execute_script("document.querySelector('.made').remove()")  # when means nothing to others
        height = max(driver.execute_script(_BOARDS)[:boards], default=900) + 12
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
        return base64.b64decode(shot["data"])
    finally:
        driver.quit()


def shrunk(picture: bytes) -> bytes:
    """Return a picture of text with fewer colors, which nobody sees and which takes a third of the bytes."""
    small = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(96).save(small, "PNG", optimize=True)
    return small.getvalue()


def main() -> None:
    """Photograph and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="report.html of a run")
    parser.add_argument("out", type=Path, help="PNG file")
    chosen = parser.parse_args()
    picture = shrunk(photograph(chosen.report))
    if len(picture) > LARGEST:
        raise SystemExit(f"the picture has {len(picture):,} bytes; the limit is {LARGEST:,}")
    chosen.out.write_bytes(picture)


if __name__ == "__main__":
    main()
