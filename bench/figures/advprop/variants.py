"""Clean accuracy of AdvProp and its alternatives: augmentation, more branches, other attackers."""

from typing import TYPE_CHECKING

from bench.figures import style
from bench.figures.advprop.trainings import NEEDS, SIZES, TRAINING, by_size, kind, released
from bench.figures.base import FigureSpec, figure
from bench.figures.facts import Facts, groups
from bench.figures.measured import Numbers
from bench.figures.series import bars, of_column
from bench.published.papers import sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figure(
    "advprop-variants",
    "AutoAugment, more branches and other attackers",
    "1911.09665",
    "--model tiny_std_long,tiny_std_augmented,tiny_advprop@clean,tiny_advprop_fine@clean,tiny_advprop_augmented@clean,"
    "tiny_advprop_gradient@clean,tiny_advprop_noise@clean --suite tiny",
    NEEDS,
)
def variants(spec: FigureSpec, data: Numbers) -> "Figure":
    """Clean accuracy of AdvProp and its alternatives: augmentation, more branches, other attackers."""
    told = [f for f in data.told(spec.needs) if kind(f)]
    free = (*TRAINING, "attacker", "augmentation", "epochs")
    every = [group for group in groups(told, *free) if any(kind(f) == "AdvProp" for f in group)]
    column = data.clean([f.name for group in every for f in group])
    kept = [[f for f in group if column and f.name in column.numbers] for group in every]
    largest: list[Facts] = max(kept, key=len) if kept else []
    names = [f.name for f in sorted(largest, key=lambda f: (f.separate, f.name))]
    figure, axes = style.panels(2, height=2.9)
    if column and len(names) > 1:
        bars(axes[0], names, [of_column("main branch", (), column, names)], "clean accuracy (%)", "measured")
        axes[0].set_ylim(bottom=max(0.0, min(column.numbers[n].low for n in names) - 5))
    else:
        style.note(axes[0], f"not measured; {spec.to_measure('DIR')}")
    rows = released(
        ("flips and crops", "vanilla", "none"),
        ("AutoAugment", "vanilla", "autoaugment"),
        ("AdvProp and AutoAugment", "AdvProp", "autoaugment"),
    )
    for index, one in enumerate(by_size("", rows)):
        style.published(axes[1], one.x, one.y, label=one.label, index=index, line=True)
    axes[1].set_xticks(range(len(SIZES)), SIZES)
    axes[1].set_xlabel("EfficientNet")
    axes[1].set_ylabel("clean accuracy (%)")
    axes[1].set_title("published")
    style.legend(axes[1])
    used = [row for each in rows.values() for row in each]
    about = f"Measured, the axis does not begin at 0: {column.about()}. " if column and len(names) > 1 else ""
    style.caption(figure, f"{spec.title}. {about}Published: ImageNet ({sources(used)}).")
    return figure
