"""The tiny images: generated from a seed, so that they need no folder."""

from bench.datasets.info import SetInfo
from bench.datasets.tiny_set import COUNT, LABELS, open_tiny


def _generated(
    order: int, name: str, title: str, heading: str, count: int = COUNT, headline: str = "accuracy"
) -> SetInfo:
    return SetInfo(
        name,
        title,
        order,
        LABELS,
        count,
        "none needed: generated",
        "generated from a seed",
        lambda _root, part: open_tiny(name, part),
        generated=True,
        heading=heading,
        headline=headline,
    )


SETS = (
    _generated(140, "tiny", "tiny images, validation", "Clean"),
    _generated(141, "tiny-a", "tiny images, natural adversarial", "A", 0),
    _generated(142, "tiny-stylized", "tiny images, texture replaced", "Stylised"),
    _generated(143, "tiny-cue-conflict", "tiny images, texture of another class", "Shape bias", headline="shape_bias"),
)
