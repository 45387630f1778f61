"""The plots of the model's page as SVG files of their own, for the guide."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from django.conf import settings
from django.template.loader import render_to_string

from portfolio.pages.figures.plot import Plot

_STATIC: Final = settings.BASE_DIR / "static" / "portfolio"
_ABOVE, _BELOW = 34, 30


def write_plots(plots: Sequence[Plot], directory: Path) -> list[Path]:
    """Write each plot as `model-NAME.svg`, with its title, its keys and its colours; return the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    style = standalone_style()
    paths = []
    for plot in plots:
        height = _ABOVE + plot.height + _BELOW
        context = {"plot": plot, "style": style, "height": height, "keys_y": height - 14}
        path = directory / f"model-{plot.name}.svg"
        path.write_text(render_to_string("portfolio/model/image.svg", context), encoding="utf-8")
        paths.append(path)
    return paths


def standalone_style() -> str:
    """The rules of the plots with the colours that they use, light and dark."""
    rules = (_STATIC / "plot.css").read_text(encoding="utf-8")
    theme = (_STATIC / "theme.css").read_text(encoding="utf-8")
    names = dict.fromkeys(re.findall(r"var\((--[\w-]+)\)", rules))
    light, _, dark = theme.partition("@media (prefers-color-scheme: dark)")
    dark = dark.partition("\n}\n")[0]
    palettes = [" ".join(f"{name}: {_colour(part, name)};" for name in names) for part in (light, dark)]
    return f":root {{ {palettes[0]} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {palettes[1]} }} }}\n{rules}"


def _colour(palette: str, name: str) -> str:
    colour = re.search(rf"{name}: ([^;]+);", palette)
    if colour is None:
        raise ValueError(f"theme.css does not say the colour {name}, which plot.css uses; add it to both palettes.")
    return colour[1]
