"""Memories that no copy of a model parts from it: found with the values that its code keeps outside it."""

import functools
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import bench
from bench.attacks.autoattack import apgd
from bench.attacks.memory import as_it_came
from bench.attacks.randomised import RandomisedAttack
from bench.errors import UsageError
from model_zoo.identity.model import identify
from tests.attacks.conftest import Around, Subject

EPS = Fraction(8, 255)

Seen = list[tuple[Tensor, Tensor]]


def as_before(seen: Seen, x: Tensor, own: Tensor) -> Tensor:
    """Answers near what it has seen as it answered then, with its own gradient."""
    answers = []
    for image, out in zip(x, own, strict=True):
        near = [known for shown, known in seen if (image.detach() - shown).abs().max() <= 1.2 * float(EPS)]
        if not near:
            seen.append((image.detach().clone(), out.detach()))
        answers.append(near[0] + out - out.detach() if near else out)
    return torch.stack(answers)


class Attribute(Around):
    def __init__(self, net: nn.Module) -> None:
        super().__init__(net)
        self.seen: Seen = []

    def forward(self, x: Tensor) -> Tensor:
        return as_before(self.seen, x, self.net(x))


class Closure(Around):
    def __init__(self, net: nn.Module) -> None:
        super().__init__(net)
        memory = Attribute(net)
        self.asked = lambda x: memory(x)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.asked(x)
        return out


SEEN: Seen = []


class Global(Around):
    def forward(self, x: Tensor) -> Tensor:
        return as_before(SEEN, x, self.net(x))


class Body(Around):
    seen: Seen = []  # noqa: RUF012  # shared by all copies, which is the point

    def forward(self, x: Tensor) -> Tensor:
        return as_before(self.seen, x, self.net(x))


class Default(Around):
    def forward(self, x: Tensor, seen: Seen = []) -> Tensor:  # noqa: B006  # shared by all copies
        return as_before(seen, x, self.net(x))


def noted(seen: Seen) -> Seen:
    return seen


noted.seen = []  # type: ignore[attr-defined]


class OfFunction(Around):
    def forward(self, x: Tensor) -> Tensor:
        return as_before(noted(noted.seen), x, self.net(x))  # type: ignore[attr-defined]


@functools.lru_cache
def answers_in(_place: str) -> Seen:
    return []


class Cache(Around):
    def forward(self, x: Tensor) -> Tensor:
        return as_before(answers_in("here"), x, self.net(x))


class Hook(Around):
    def __init__(self, net: nn.Module) -> None:
        super().__init__(net)
        seen: Seen = []
        self.register_forward_hook(lambda _module, shown, out: as_before(seen, shown[0], out))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


EVERY = [Attribute, Closure, Global, Body, Default, OfFunction, Cache, Hook]


@pytest.mark.parametrize("model", EVERY)
@pytest.mark.parametrize("shown", [False, True])
def test_a_memory_is_found_wherever_it_is_kept(subject: Subject, model: type[Around], shown: bool) -> None:
    made = model(subject.net).eval()
    if shown:  # as by a user who looks at accuracy first
        made(subject.images)
    with pytest.raises(UsageError, match="remembers earlier inputs"):
        bench.attack(made, subject.images, subject.labels, "pgd", eps=EPS, steps=2)


SCALES: dict[int, Tensor] = {}
CALLS = 0


class Thrifty(Around):
    """Counts its calls, and keeps what it computes of a size alone."""

    def forward(self, x: Tensor) -> Tensor:
        global CALLS  # as users do
        CALLS += 1
        if x.shape[3] not in SCALES:
            SCALES[x.shape[3]] = torch.linspace(0, 0.01, x.shape[3])
        out: Tensor = self.net(x + SCALES[x.shape[3]])
        return out


def test_no_call_hides_a_memory_from_the_next(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if its image is shifted as before."""
    monkeypatch.setattr("secrets.randbelow", lambda _side: 0)
    for _ in range(3):
        with pytest.raises(UsageError, match="remembers earlier inputs"):
            bench.attack(Body(subject.net).eval(), subject.images, subject.labels, "pgd", eps=EPS, steps=2)


class Shy:
    """A descriptor that has nothing to say of a class."""

    def __get__(self, one: object, _kind: type) -> int:
        if one is None:
            raise AttributeError("ask an instance")
        return 1


class WithDescriptor(Around):
    shy = Shy()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x) * self.shy
        return out


def test_a_descriptor_is_not_asked(subject: Subject) -> None:
    found = bench.attack(WithDescriptor(subject.net).eval(), subject.images, subject.labels, "pgd", eps=EPS, steps=2)
    assert int(found.robust.sum()) > 0


def test_what_changes_no_answer_is_no_memory(subject: Subject) -> None:
    before = CALLS
    found = bench.attack(Thrifty(subject.net).eval(), subject.images, subject.labels, "pgd", eps=EPS, steps=2)
    assert int(found.robust.sum()) > 0
    assert before < CALLS
    assert SCALES[12].equal(torch.linspace(0, 0.01, 12))


def test_a_fresh_copy_leaves_all_values_where_they_were(subject: Subject) -> None:
    made = Global(subject.net).eval()
    SEEN.clear()
    fresh = as_it_came(made)
    made(subject.images[:2])
    kept = SEEN
    assert fresh is not None
    fresh.answer(subject.images[2:5])
    assert kept is SEEN
    assert len(SEEN) == 2


class NoisyMemory(Body):
    """A random model that remembers."""

    seen: Seen = []  # noqa: RUF012  # shared by all copies

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 0.1 * torch.randn(len(x), 10)


@pytest.mark.parametrize("shown", [False, True])
def test_a_random_model_that_remembers_is_refused(subject: Subject, shown: bool) -> None:
    NoisyMemory.seen.clear()
    model = NoisyMemory(subject.net).eval()
    if shown:
        model(subject.images)
    attack = RandomisedAttack("autoattack-rand", "linf", EPS, apgd("linf", EPS, steps=2).trials, "eot20")
    with pytest.raises(UsageError, match="remembers earlier inputs"):
        attack.run(model, subject.images[:2], subject.labels[:2], subject.ids[:2])


def test_what_stands_behind_a_cache_is_part_of_a_models_identity(subject: Subject) -> None:
    def made(shift: float) -> nn.Module:
        @functools.lru_cache
        def moved() -> float:
            return shift

        class Moved(Around):
            def forward(self, x: Tensor) -> Tensor:
                out: Tensor = self.net(x)
                return torch.cat([out[:, :1] + moved(), out[:, 1:]], 1)

        return Moved(subject.net).eval()

    identities: list[Any] = [identify(model, model, 12) for model in (made(0.0), made(0.0), made(1e-9))]
    assert identities[0] == identities[1]
    assert identities[0].exact != identities[2].exact
