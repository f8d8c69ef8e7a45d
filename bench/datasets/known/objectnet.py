"""ObjectNet's classes that ImageNet has too, in photographs from odd sides, and in ImageNet-D's synthetic ones."""

from pathlib import PurePath

from bench.datasets.base import Dataset, Item, View
from bench.datasets.content import Loaded
from bench.datasets.folder import FolderDataset
from bench.datasets.info import SetInfo, SetPlace
from bench.datasets.labels import LabelSpace, add_space
from bench.datasets.listing import LeftOut, Listing, pictures_within
from bench.errors import DataError

_TABLE = """
    alarm_clock:409+530 backpack:414 banana:954 band_aid:419 bath_towel:434 beer_bottle:440
    bench:703 bicycle:671+444 binder_closed:446 bottle_cap:455 bread_loaf:930 broom:462 bucket:463
    can_opener:473 candle:470 cellphone:487 chair:423+559+765 cleaver:499 clothes_hamper:588
    coffee_or_french_press:550 combination_lock:507 computer_mouse:673 desk_lamp:846 dishcloth:533
    doormat:539 dress_shoe_men:630 drill:740 drying_rack_for_plates:729 envelope:549 fan:545
    frying_pan:567 gown:578 hair_dryer:589 hammer:587 helmet:560+518 iron_for_clothes:606 jeans:608
    keyboard:508 ladle:618 lampshade:619 laptop_open:620 lemon:951 letter_opener:623 lighter:626
    lipstick:629 matchstick:644 measuring_cup:647 microwave:651 mixing_or_salad_bowl:659 monitor:664
    mug:504 nail_fastener:677 necklace:679 orange:950 padlock:695 paintbrush:696 paper_towel:700
    pen:418+749+563 pill_bottle:720 pillow:721 pitcher:725 plastic_bag:728 plate:923 plunger:731
    pop_can:737 portable_heater:811 printer:742 remote_control:761 ruler:769 running_shoe:770
    safety_pin:772 salt_shaker:773 sandal:774 screw:783 shopping_basket:790 shovel:792
    skirt:601+655+689 sleeping_bag:797 soap_dispenser:804 sock:806 soup_bowl:809 spatula:813
    speaker:632 still_camera:732+759 strainer:828 suit_jacket:834 sunglasses:837 sweater:841
    swimming_trunks:842 t_shirt:610 tea_cup:968 teapot:849 teddy_bear:850 tennis_racket:752
    tie:457+906 toaster:859 toilet_paper_roll:999 trash_bin:412 tray:868 tv:851 umbrella:879
    vacuum_cleaner:882 vase:883 wallet:893 watch:531 water_bottle:898 weight_exercise:543
    weight_scale:778 wheel:479+694 whistle:902 wine_bottle:907 winter_glove:658 wok:909
"""

OBJECTS: dict[str, tuple[int, ...]] = {
    name: tuple(map(int, classes.split("+"))) for name, _, classes in (pair.partition(":") for pair in _TABLE.split())
}
"""ImageNet classes by the name of ObjectNet's folder, 113 of its 313. Source: chenshuang-zhang/imagenet_d,
preprocessing/imgnet_d2imgnet_id.txt, which groups classes as abarbu/objectnet-template-pytorch's mapping file does."""

BORDER = 2
"""Pixels of ObjectNet's red border on each side (objectnet_pytorch_dataloader.py)."""

SPACE = "objects-113"
add_space(SPACE, lambda: LabelSpace(SPACE, len(OBJECTS), tuple(OBJECTS.values()), "max", tuple(OBJECTS)))

KINDS = ("background", "texture", "material")
"""What ImageNet-D varies, each in a folder of its own."""


class Cropped(View):
    """Images without a border of `border` pixels."""

    def __init__(self, whole: Dataset, border: int) -> None:
        super().__init__(whole, range(len(whole)))
        self.border = border

    def load(self, index: int) -> Loaded:
        loaded = super().load(index)
        width, height = loaded.image.size
        box = (self.border, self.border, width - self.border, height - self.border)
        return Loaded(loaded.image.crop(box), loaded.content)


def open_objectnet(place: SetPlace, _part: str = "") -> Dataset:
    """The images of the 113 classes, without their border; those of the 200 others are left out."""
    return Cropped(_by_object(place, "objectnet"), BORDER)


def open_imagenet_d(place: SetPlace, part: str) -> Dataset:
    """One of the three kinds of image (`part`), by the folder it lies in."""
    found = [f for f in place.found if f.folder.name == part]
    if len(found) != 1:
        raise DataError(f"imagenet-d: no {part}/ under {place.root} (OBJECT/* in it), or several ({len(found)})")
    return _by_object(SetPlace(found[0].folder, tuple(found)), "imagenet-d")


def _by_object(place: SetPlace, name: str) -> FolderDataset:
    """Labels by the names of ObjectNet's folders. Raises `DataError` where none is one of the 113."""
    order = {folder: label for label, folder in enumerate(OBJECTS)}
    look, left = Listing.at(place.folder), LeftOut()
    left.take(look.left_out)
    items = []
    for folder in look.folders:
        if folder not in order:
            left.add("folders of objects without an ImageNet class", folder)
            continue
        items += [
            Item.at(f"{folder}/{PurePath(p).stem}", order[folder], p)
            for p in pictures_within(place.folder / folder, left)
        ]
    if not items:
        raise DataError(f"{name}: no folder called as one of its 113 objects (alarm_clock, ...) under {place.folder}")
    dataset = FolderDataset(name, SPACE, items)
    dataset.notes, dataset.proof = left.lines(), "names of objects"
    return dataset


SETS = (
    SetInfo(
        "objectnet",
        "ObjectNet, the 113 classes that ImageNet has",
        90,
        SPACE,
        18_574,
        "CC BY 4.0; never for training",
        "https://objectnet.dev",
        open_objectnet,
        "objectnet/[objectnet-1.0/images/]OBJECT/*.png",
        heading="ObjectNet",
        citation="Barbu et al. 2019, NeurIPS",
        classes=tuple(OBJECTS),
    ),
    SetInfo(
        "imagenet-d",
        "ImageNet-D, 4,835 images of 113 objects by diffusion",
        91,
        SPACE,
        0,
        "MIT",
        "https://github.com/chenshuang-zhang/imagenet_d",
        open_imagenet_d,
        "imagenet-d/[background|texture|material]/OBJECT/*",
        heading="D",
        citation="Zhang et al. 2024, arXiv 2403.18775",
        classes=tuple(OBJECTS),
        parts=r"(?:background|texture|material)",
        all_parts=KINDS,
    ),
)
