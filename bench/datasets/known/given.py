"""Images given in memory."""

from bench.datasets.given import NAME, GivenDataset
from bench.datasets.info import SetInfo

SETS = (
    SetInfo(
        NAME,
        "images given to bench.run in memory, shown as they are",
        155,
        "its own",
        0,
        "the user's",
        "",
        lambda place, _part: GivenDataset(place.root),
    ),
)
