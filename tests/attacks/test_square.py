"""Square Attack: its schedule, its squares and windows, and its queries."""

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyautoattack.square import SquareAttack
from torch import Tensor

from bench.attacks import norms
from bench.attacks.autoattack import square
from bench.attacks.budget import NORMS, Norm
from bench.attacks.randomness import generator
from bench.attacks.search import NewImages
from bench.attacks.square import Square, SquareBatch, _shapes, _sides
from bench.attacks.squares import Squares, paint, torch_paint
from bench.attacks.windows import Windows, bump, move, torch_move
from tests.attacks.conftest import Subject


def lanes_of(search: Square, side: int = 32, count: int = 6) -> SquareBatch:
    index = torch.arange(count)
    images = torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))
    draws = [generator(0, str(i), "square", 0) for i in range(count)]
    return search.start(NewImages(index, index, images, index, index, draws))


@pytest.mark.parametrize("query", [0, 10, 11, 51, 201, 501, 1001, 2001, 4001, 4999])
def test_sides_follow_the_reference_s_schedule(query: int) -> None:
    reference = SquareAttack(None, eps=0.1, p_init=0.8, n_queries=5000, resc_schedule=False)
    expected = max(round((reference.p_selection(query) * 32 * 32) ** 0.5), 1)
    assert int(_sides(Square("linf", 0.1), 32, 32)[query]) == expected


def proposals(search: Square, batch: SquareBatch, made: int) -> Tensor:
    """The images that the search proposes to each lane after `made` others."""
    batch.step[:] = made + 1
    return search.points(batch, 1)


def grey(search: Square) -> SquareBatch:
    batch = lanes_of(search)
    batch.image.fill_(0.5)
    batch.low, batch.high = norms.box(batch.image, search.eps, search.norm)
    return batch


def test_a_step_is_one_square_of_one_colour() -> None:
    search = Square("linf", 0.05)
    batch = grey(search)
    batch.best = batch.image.clone()
    moved = proposals(search, batch, 100) - batch.best
    side = int(_sides(search, 32, 32)[100])
    for picture in moved:
        assert (picture != 0).flatten(1).sum(1).tolist() == [side**2] * 3
        assert all(len(channel[channel != 0].unique()) == 1 for channel in picture)
    assert moved.abs().amax() == pytest.approx(0.05)


def test_windows_keep_the_norm() -> None:
    search = Square("l2", 0.5)
    batch = grey(search)
    batch.best = batch.image + 0.5 * norms.unit(batch.x - 0.5, "l2")
    moved = proposals(search, batch, 0)
    torch.testing.assert_close(norms.size(moved - batch.image, "l2"), torch.full((6,), 0.5))


@pytest.mark.parametrize("norm", NORMS)
def test_several_proposals_at_once_are_those_of_one_by_one(subject: Subject, norm: Norm) -> None:
    """Same images in the end, same count of queries; only what was asked in vain comes on top."""
    attack = square(norm, Fraction(12, 255) if norm == "linf" else Fraction(1, 4), 60)
    single, several = (
        attack.run(subject.net, subject.images, subject.labels, subject.ids, batch_size=b, keep_adversarial=True)
        for b in (1, 200)
    )
    assert single.broken_by == several.broken_by
    assert torch.equal(single.steps, several.steps)
    assert single.adversarial is not None
    assert several.adversarial is not None
    torch.testing.assert_close(single.adversarial, several.adversarial, atol=1e-6, rtol=0)
    assert single.cost.forward < several.cost.forward < 2 * single.cost.forward


BALLS: list[tuple[Norm, float]] = [("l2", 0.7), ("l1", 12.0)]


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("side", [3, 5, 8, 13])
def test_bumps_are_the_reference_s(side: int, norm: Norm, monkeypatch: pytest.MonkeyPatch) -> None:
    attack = SquareAttack(None, norm=norm.upper(), eps=1.0, device="cpu")
    monkeypatch.setattr(torch, "rand", lambda *_: torch.zeros(1))
    torch.testing.assert_close(bump(side, False, norm), attack.eta(side))


class Dictated(SquareAttack):  # type: ignore[misc]
    """The reference's attack, its windows given in place of drawn, on a network that no proposal ever moves."""

    def __init__(self, norm: str, eps: float, sides: list[int], draws: Tensor) -> None:
        self.asked: list[Tensor] = []
        super().__init__(self._answer, norm=norm, eps=eps, n_queries=len(draws), resc_schedule=False, device="cpu")
        self.draws, self.lengths, self.query = draws, sides, -1
        self.turn = False

    def _answer(self, x: Tensor) -> Tensor:
        self.asked.append(x.clone())
        self.query += 1
        self.place = 0
        return torch.tensor([[1.0, 0.0]]).repeat(len(x), 1)

    def random_int(self, _low: int, high: int) -> Tensor:
        self.place += 1
        return (self.draws[self.query, self.place - 1] * high).long().view(1)

    def random_choice(self, shape: list[int]) -> Tensor:
        if not self.query + 1:
            return super().random_choice(shape)
        return torch.where(self.draws[self.query, 5:] < 0.5, 1.0, -1.0).view(1, 3, 1, 1).expand(shape)

    def eta(self, side: int) -> Tensor:
        lying = self.query + 1 and self.draws[self.query, 4] > 0.5
        return bump(side, bool(lying), self.norm.lower())


@pytest.mark.parametrize(("norm", "eps"), BALLS)
@pytest.mark.parametrize("made", [move, torch_move])
def test_windows_are_the_reference_s(norm: Norm, eps: float, made: Callable[..., Tensor]) -> None:
    """The image proposed after each number of queries, by pyautoattack's own loop with the same random numbers."""
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    draws, search = torch.rand(60, 8, generator=torch.Generator().manual_seed(1)), Square(norm, eps)
    sides = _sides(search, 32, 32)[:60]
    theirs = Dictated(norm.upper(), eps, sides.tolist(), draws)
    theirs.init_hyperparam(images)
    theirs.attack_single_run(images, torch.zeros(2, dtype=torch.int64))
    start, *expected = theirs.asked
    for row in (0, 1):
        windows = Windows.drawn(torch.full((60,), row), sides, draws, 32, 32)
        found = made(start, images, windows, _shapes(search, 32, 32), eps, norm)
        torch.testing.assert_close(found, torch.stack([picture[row] for picture in expected]), atol=5e-6, rtol=0)
        assert (norms.size(found - images[row], norm) <= eps * (1 + 1e-5)).all()


@pytest.mark.parametrize("norm", NORMS)
def test_queries_are_counted_and_end_at_the_first_success(subject: Subject, norm: Norm) -> None:
    eps = {"linf": Fraction(30, 255), "l2": Fraction(1), "l1": Fraction(6)}[norm]
    result = square(norm, eps, 150).run(subject.net, subject.images, subject.labels, subject.ids)
    assert result.cost.backward == 0
    assert (result.steps[result.robust] == 151).all()
    assert (result.steps[~result.robust] <= 151).all()
    assert 0 < result.robust.sum() < len(result.robust)
    assert (result.distance <= float(eps) + 1e-5).all()


def test_more_queries_break_no_less(subject: Subject) -> None:
    few, many = (
        square("linf", Fraction(24, 255), n).run(subject.net, subject.images, subject.labels, subject.ids)
        for n in (20, 300)
    )
    assert (many.robust <= few.robust).all()
    assert many.robust.sum() < few.robust.sum()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31))
def test_squares_are_painted_alike_in_torch_and_compiled(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    low, best, high = torch.rand(3, 4, 3, 7, 9, generator=random).sort(0).values
    side = torch.randint(1, 8, (4,), generator=random)
    top, left = (torch.rand(2, 4, generator=random) * (torch.tensor([[7], [9]]) - side)).long()
    lane = torch.tensor([2, 0, 0, 3])
    squares = Squares(lane, top, left, side, torch.rand(4, 3, generator=random) < 0.5)
    painted = paint(best, low, high, squares)
    assert torch.equal(painted, torch_paint(best, low, high, squares))
    assert ((painted != best[lane]).sum((1, 2, 3)) == 3 * side**2).all()
