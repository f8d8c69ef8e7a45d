"""ImageNet-ES: images of Tiny ImageNet's 200 classes on a screen, under two lights and many camera settings."""

from bench.datasets.base import Dataset
from bench.datasets.info import SetInfo, SetPlace
from bench.datasets.known.of_200 import of_classes
from bench.datasets.labels import LabelSpace, add_space
from bench.datasets.layouts import read_set
from bench.errors import DataError

_NUMBERS = """
    1 25 30 32 50 61 69 71 75 76 79 99 105 107 109 113 114 115 122 123 128 145 146 149 151 187 207
    208 235 267 281 283 285 286 291 294 301 308 309 311 313 314 315 319 323 325 329 338 341 345 347
    349 353 354 365 367 372 386 387 398 400 406 411 414 421 424 425 427 430 435 436 437 438 440 445
    447 448 457 458 462 463 466 467 470 471 474 480 485 488 492 496 500 508 509 511 517 525 526 532
    542 543 557 562 565 567 568 570 573 576 604 605 612 614 619 621 625 627 635 645 652 655 675 677
    678 682 683 687 704 707 716 720 731 733 734 735 737 739 744 747 758 760 761 765 768 774 779 781
    786 801 806 808 811 815 817 821 826 837 839 842 845 849 850 853 862 866 873 874 877 879 887 888
    890 899 900 909 910 917 923 924 928 929 932 935 938 945 947 950 951 954 957 962 963 964 967 970
    972 973 975 978 988
"""

CLASSES = tuple(map(int, _NUMBERS.split()))
"""Tiny ImageNet's 200 classes (indices_in_1k.py in Edw2n/ImageNet-ES)."""

SPACE = "tiny-imagenet-200"
add_space(SPACE, lambda: LabelSpace(SPACE, len(CLASSES), tuple((c,) for c in CLASSES)))

LIGHTS = ("l1", "l5")
MANUAL = tuple(f"param_control/{light}/param_{n}" for light in LIGHTS for n in range(1, 28))
AUTO = tuple(f"auto_exposure/{light}/param_{n}" for light in LIGHTS for n in range(1, 6))
"""Settings of the test split, 27 by hand and 5 with automatic exposure, under each light (configs/datasets.py)."""


def open_imagenet_es(place: SetPlace, part: str) -> Dataset:
    """One setting of the test split, 1,000 images, labels counted among the 200 classes."""
    part = part.replace(".", "/")
    found = [f for f in place.of_part(part) if "es-val" not in f.folder.parts]
    if len(found) != 1:
        raise DataError(f"imagenet-es: no {part}/ under {place.root} (WNID/* in it), or several ({len(found)})")
    return of_classes(read_set(found[0].folder, "imagenet-es", "imagenet1k"), SPACE)


SETS = (
    SetInfo(
        "imagenet-es",
        "ImageNet-ES, the test split: light and camera settings",
        92,
        SPACE,
        1_000,
        "MIT",
        "https://github.com/Edw2n/ImageNet-ES",
        open_imagenet_es,
        "imagenet-es/es-test/[param_control|auto_exposure]/[l1|l5]/param_N/WNID/*",
        heading="ES",
        headline="accuracy_manual",
        citation="Baek et al. 2024, CVPR",
        parts=r"(?:param_control|auto_exposure)/l\d/param_\d+",
        all_parts=MANUAL + AUTO,
    ),
)
