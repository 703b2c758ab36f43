"""The report's page of images in a real browser: what is hidden, an address an image, what comes first, zoom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.migrate import open_database
from db.session import transaction
from db.settings import make_home
from db.store.error_probabilities import refresh_error_probabilities
from db.store.results import iterate_results
from db.tables.images import ImageRow
from db.tables.predictions import PredictionRow
from tests.answers import store_answers
from tests.factories import finished_job, write_images
from worker.report.write import ReportOptions, write_report

IMAGES = 5


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of five images, the first two answered by a person."""
    tmp_path = tmp_path_factory.mktemp("site")
    home = make_home(tmp_path / "home")
    engine = open_database(f"sqlite:///{home / 'taffrail.db'}")
    write_images(tmp_path / "images" / "boat_1", IMAGES)
    settings = finished_job(engine, home, tmp_path / "images")
    _tell_times(engine)
    _find_unlike(engine)
    answered = [result.sha256 for result in iterate_results(engine, 1) if result.sha256][:2]
    at_the_edge = LabelledBox(Box(300, 60, 319, 80), "SHARK")  # images are 320 pixels wide
    store_answers(engine, {answered[0]: ImageLabel("NoF", ()), answered[1]: ImageLabel("SHARK", (at_the_edge,))})
    write_report(engine, settings, 1, tmp_path / "report", ReportOptions())
    engine.dispose()
    return tmp_path / "report"


def _find_unlike(engine: Engine) -> None:
    """Let the surest of the images that nobody answered be unlike all that its model learnt from."""
    refresh_error_probabilities(engine, "noop")
    with transaction(engine) as session:
        open_ones = session.scalars(select(PredictionRow).order_by(PredictionRow.image_id)).all()[2:]
        min(open_ones, key=lambda row: row.error_probability).novelty = 1.5


def _tell_times(engine: Engine) -> None:
    """Let the first two images be of one day and the others of the next."""
    with transaction(engine) as session:
        for number, row in enumerate(session.scalars(select(ImageRow).order_by(ImageRow.id))):
            row.captured_at = f"2024-03-0{2 if number < 2 else 3}T10:00:0{number}"


@pytest.fixture
def page(report: Path, browser: Any) -> str:
    """The address of the report's images; the browser shows it."""
    address = (report / "images.html").as_uri()
    browser.get(address)
    return address


def test_a_filter_and_a_pager_that_have_nothing_to_choose_are_not_shown(page: str, browser: Any) -> None:
    # No image failed, all fit on one page, and the folder is the camera's.
    assert not any(shown(browser, one) for one in ("#reason-field", "#pages", "#trip-field"))
    assert shown(browser, "#filters") and shown(browser, "#day-field")


def test_the_overview_leads_to_a_days_images(page: str, browser: Any) -> None:
    browser.get(page.replace("images.html", "index.html"))
    browser.find_element("link text", "2024-03-03").click()

    assert browser.execute_script("return document.querySelectorAll('.card').length") == IMAGES - 2


def test_images_that_nobody_answered_come_first(page: str, browser: Any) -> None:
    seen = browser.execute_script(
        "return [...document.querySelectorAll('.card')].map((card) => !!card.querySelector('.badge.seen'))"
    )

    assert seen == [False] * (IMAGES - 2) + [True] * 2


def test_an_image_unlike_all_that_was_learnt_from_is_the_first_to_look_at(page: str, browser: Any) -> None:
    words = browser.execute_script("return [...document.querySelectorAll('.card')].map((card) => card.textContent)")
    assert ["unlike all learnt from" in said for said in words] == [True] + [False] * (IMAGES - 1)

    browser.get("about:blank")
    browser.get(f"{page}#show=unlike")
    assert len(browser.find_elements("css selector", ".card")) == 1


def test_each_image_has_an_address_and_the_back_button_leaves_it(page: str, browser: Any) -> None:
    press_card(browser, 1)
    name, address = title(browser), browser.current_url
    assert "image=" in address

    browser.back()
    assert not shown(browser, "#detail") and "image=" not in browser.current_url

    browser.get("about:blank")
    browser.get(address)
    assert shown(browser, "#detail") and title(browser) == name


def test_an_address_leads_to_its_image_whatever_filters_it_names(page: str, browser: Any) -> None:
    press_card(browser, 0)
    name, number = title(browser), browser.current_url.partition("image=")[2]

    browser.get("about:blank")
    browser.get(f"{page}#name=no+such+name&image={number}")

    assert shown(browser, "#detail") and title(browser) == name


def test_a_click_shows_an_image_larger_and_another_as_before(page: str, browser: Any) -> None:
    press_card(browser, 0)
    width = "return document.querySelector('#detail .view').getBoundingClientRect().width"
    before = browser.execute_script(width)

    browser.find_element("css selector", "#detail .view").click()
    assert browser.execute_script(width) > 2.5 * before

    browser.find_element("css selector", "#detail .frame").click()
    assert browser.execute_script(width) == pytest.approx(before, abs=20)


def test_a_heat_map_and_a_crop_are_parts_of_files_that_many_share(page: str, browser: Any) -> None:
    browser.execute_script("""
        const heat = document.querySelector("[name=heat]");
        heat.value = "*";
        heat.dispatchEvent(new Event("input", { bubbles: true }));""")
    press_card(browser, 1)  # the first one shows no fish

    backgrounds = browser.execute_script("""
        const pictures = [...document.querySelectorAll("#detail .layer, #detail .crop")];
        return Promise.all(pictures.map(async (shown) => {
            const image = new Image();
            image.src = shown.style.backgroundImage.slice(5, -2);
            await image.decode();
            return [image.src, image.naturalWidth, shown.getBoundingClientRect().width];
        }));""")

    assert backgrounds and all(width > 0 and room_px > 10 for _, width, room_px in backgrounds)
    folders = [address.split("/")[-2] for address, *_ in backgrounds]
    assert folders[0] == "heat" and set(folders[1:]) == {"images"}


def test_the_words_of_a_box_stay_within_the_image(page: str, browser: Any) -> None:
    beyond_px = browser.execute_script("""
        return [...document.querySelectorAll(".card .view text")].map((words) =>
            words.getBoundingClientRect().right - words.closest(".view").getBoundingClientRect().right);""")

    assert beyond_px and max(beyond_px) < 1


@pytest.mark.parametrize("width_px", [390, 1366, 2560])
def test_no_width_makes_a_page_scroll_sideways(report: Path, browser: Any, width_px: int) -> None:
    metrics = {"width": width_px, "height": 900, "deviceScaleFactor": 1, "mobile": width_px < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    widths = {}
    for page in sorted(report.glob("*.html")):
        browser.get(page.as_uri())
        widths[page.name] = browser.execute_script("return document.documentElement.scrollWidth")

    assert len(widths) == 5 and max(widths.values()) <= width_px, widths


def shown(browser: Any, selector: str) -> bool:
    """Whether an element takes room on the page."""
    found: bool = browser.find_element("css selector", selector).is_displayed()
    return found


def press_card(browser: Any, place: int) -> None:
    """Open the large view of an image of the grid."""
    browser.find_elements("css selector", ".card")[place].click()


def title(browser: Any) -> str:
    """Return the name that the large view shows."""
    text: str = browser.find_element("css selector", "#detail-name").text
    return text
