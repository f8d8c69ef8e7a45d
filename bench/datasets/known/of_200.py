"""ImageNet-A and -R: 200 classes each, and the validation images of the same classes."""

from collections.abc import Iterator

from bench.datasets.base import Dataset, View
from bench.datasets.info import RESEARCH, WNID_FOLDERS, Archive, Opener, SetInfo, SetPlace
from bench.datasets.known.imagenet import open_imagenet
from bench.datasets.labels import label_space
from bench.datasets.layouts import read_set
from bench.errors import DataError

RENDITIONS = (
    "art",
    "cartoon",
    "deviantart",
    "embroidery",
    "graffiti",
    "graphic",
    "misc",
    "origami",
    "painting",
    "sculpture",
    "sketch",
    "sticker",
    "tattoo",
    "toy",
    "videogame",
)
"""What ImageNet-R's images are called."""

_HENDRYCKS = "https://people.eecs.berkeley.edu/~hendrycks"


def of_200(name: str) -> Opener:
    """The opener of ImageNet-A or -R: folders by wnid, labels counted among the set's own 200 classes."""

    def opened(place: SetPlace, _part: str = "") -> Dataset:
        dataset = read_set(place.folder, name, "imagenet1k")
        chosen = of_classes(dataset, f"{name}-200")
        if strangers := len(dataset) - len(chosen):
            raise DataError(
                f"{name}: {strangers} of the {len(dataset)} images in {place.folder} are of none of its 200 classes;"
                " is it another set's folder? See `bench data list`"
            )
        return chosen

    return opened


def same_classes(name: str) -> Opener:
    """The opener of ImageNet's validation images of the 200 classes of set `name`, labels counted among them."""

    def opened(place: SetPlace, _part: str = "") -> Dataset:
        dataset = of_classes(open_imagenet(place), f"{name}-200")
        dataset.name = f"{name}-clean"
        return dataset

    return opened


def of_classes(dataset: Dataset, space: str) -> View:
    """The images of a 1000-class set whose class is in label space `space`, relabelled."""
    place = {member: label for label, (member,) in enumerate(label_space(space).members)}
    indices = [i for i, target in enumerate(dataset.targets) if target in place]
    return View(dataset, indices, [place[dataset.targets[i]] for i in indices], space)


def _records(
    name: str, letter: str, title: str, order: int, count: int, archive: Archive, citation: str, pictures: str
) -> Iterator[SetInfo]:
    """The set and the validation images of its classes."""
    address = f"https://github.com/hendrycks/{'natural-adv-examples' if letter == 'A' else name}"
    yield SetInfo(
        name,
        title,
        order,
        f"{name}-200",
        count,
        "MIT",
        address,
        of_200(name),
        f"{name}/{WNID_FOLDERS}",
        archives=(archive,),
        heading=letter,
        headline="accuracy_200",
        citation=citation,
        pictures=pictures,
        accepts=("imagenet-sketch",) if letter == "R" else (),
    )
    yield SetInfo(
        f"{name}-clean",
        f"ImageNet's validation images of ImageNet-{letter}'s classes",
        order + 1,
        f"{name}-200",
        10_000,
        RESEARCH,
        "https://image-net.org",
        same_classes(name),
        source="imagenet",
        heading=f"{letter}, clean",
        headline="accuracy_200",
        citation=citation,
    )


SETS = (  # sizes and SHA-256: tensorflow/datasets, checksums.tsv
    *_records(
        "imagenet-a",
        "A",
        "ImageNet-A, natural adversarial examples",
        30,
        7_500,
        Archive(
            f"{_HENDRYCKS}/imagenet-a.tar",
            687_552_512,
            "3bb3632277e6ba6392ea64c02ddbf4dd2266c9caffd6bc09c9656d28f012589e",
        ),
        "Hendrycks et al. 2021, arXiv 1907.07174",
        r"\d+\.\d+_.+_\d+\.\d+",
    ),
    *_records(
        "imagenet-r",
        "R",
        "ImageNet-R, renditions",
        40,
        30_000,
        Archive(
            f"{_HENDRYCKS}/imagenet-r.tar",
            2_191_079_936,
            "18c6bf493b39a0d975d48e587437f562caab9c52ae6327dcfa9dd8eb54aa1b52",
        ),
        "Hendrycks et al. 2021, arXiv 2006.16241",
        f"(?:{'|'.join(RENDITIONS)})_\\d+",
    ),
)
