"""`model_guide`: the guide's figures and plots from the stored report."""

from io import StringIO
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command

from tests import model_cards
from tests.ml.model_card.test_guide import GUIDE

pytestmark = pytest.mark.django_db


def run(path, *arguments):
    output, errors = StringIO(), StringIO()
    call_command("model_guide", f"--file={path}", *arguments, stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()


@pytest.fixture
def copy(tmp_path):
    path = tmp_path / "GUIDE.md"
    path.write_text(GUIDE, encoding="utf-8")
    return path


def test_figures_and_plots_are_written_from_the_stored_report(copy):
    model_cards.store_champion()
    model_cards.store_evaluation()
    content = model_cards.store_report().report
    run(copy)
    text = copy.read_text(encoding="utf-8")
    net = content["rows"]["ensemble"]["net_excess_pct"]["mean"]
    assert f"| Net of costs, a year | {net:+.1f} %".replace("-", "−") in text
    cost = content["lists"]["growth"]["cost_pct"]["mean"]
    assert f"| {cost:.1f} % |" in next(line for line in text.splitlines() if line.startswith("| `growth` |"))
    images = sorted(path.name for path in (copy.parent / "images").iterdir())
    names = ("ablations", "coverage", "cumulative", "groups", "half-years", "lists", "reliability")
    assert images == [f"model-{name}.svg" for name in names]
    for name in images:
        assert f"(images/{name})" in text
        picture = ElementTree.parse(copy.parent / "images" / name).getroot()
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(--accent)" in ElementTree.tostring(picture, encoding="unicode")
    again = text
    run(copy)
    assert copy.read_text(encoding="utf-8") == again


def test_without_a_report_the_figures_stay_as_they_are(copy):
    text = copy.read_text(encoding="utf-8")
    _, errors = run(copy)
    assert "No report about the champion is stored" in errors
    assert copy.read_text(encoding="utf-8") == text
    assert not (copy.parent / "images").exists()


def test_a_guide_that_is_missing_or_unmarked_is_refused(copy, tmp_path):
    with pytest.raises(CommandError, match=r"nowhere\.md is not a file"):
        run(tmp_path / "nowhere.md")
    copy.write_text("# A guide without marks\n", encoding="utf-8")
    with pytest.raises(CommandError, match="<!-- members -->"):
        run(copy, "--registry")
    assert copy.read_text(encoding="utf-8") == "# A guide without marks\n"
