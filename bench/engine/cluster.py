"""The Ray executor: one process per GPU (or CPU), each doing one work item at a time and returning results to the
driver.

Ray places processes, detects dead ones and moves objects. This module gives each idle worker its next item, and repeats
elsewhere what a worker did not finish. A worker gets work only once it is placed and open, so that nothing waits for a
missing machine; nodes that join are used.
"""

import math
import os
import socket
import time
import warnings
from collections.abc import Callable, Generator, Hashable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from bench.engine.job import Cluster, Job, Trouble, Worker
from bench.engine.part import Fault
from bench.engine.work import Done, Failed, Work, WorkQueue
from bench.errors import IncompleteError, UsageError, first_line

DEATHS = 5
"""Maximum number of times that a work item may lose its worker: spot machines die for other reasons, but the item
may also be the cause."""

FALSE_STARTS = 20
"""Maximum number of workers that die in a row before one is ready."""

LOOK_SECONDS = 2.0
"""Seconds between checks for new nodes."""

KNOCK_SECONDS = 10.0
"""Timeout for a connection to the head of a cluster."""

OnReady = Callable[[dict[str, Any]], None]
"""Called with the environment of each worker that is ready."""


def on_ray(
    cluster: Cluster, job: Job, queue: WorkQueue, on_ready: OnReady, say: Callable[[str], None]
) -> Generator[Done | Failed]:
    """Run all work of the queue on the cluster. Raises `UsageError` if it cannot be reached, `IncompleteError` if no
    worker is left."""
    with (
        _connected(cluster, job.settings.device) as gpus,
        closing(_Crew(cluster, job, queue, on_ready, say, gpus=gpus)) as crew,
    ):
        while queue or crew.working:
            yield from crew.step()


@contextmanager
def _connected(cluster: Cluster, device: str | None) -> Iterator[bool]:
    """Start or join Ray unless this process has done so already; yields whether its workers get GPUs."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 starves workers on a machine that does anything else
    import ray

    mine = not ray.is_initialized()
    if mine:
        _knock(cluster.address)
        where = {"address": cluster.address} if cluster.address else {"address": "local", "num_cpus": cluster.workers}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(
                    **where,
                    include_dashboard=None if cluster.address else False,
                    log_to_driver=False,
                    logging_level="ERROR",
                    configure_logging=False,
                )
        except Exception as error:  # Ray raises just that where a node takes too long to start
            raise UsageError(
                f"--ray {cluster.address or 'local'}: cannot start or join Ray: {first_line(error)}; "
                "`ray status --address ADDRESS` asks a cluster, `ray start --head` makes one"
            ) from error
    try:
        yield _gpus(ray.cluster_resources(), cluster, device)
    finally:
        if mine:
            ray.shutdown()


def _knock(address: str | None) -> None:
    """Raise `UsageError` at once if nothing listens at HOST:PORT; Ray itself would retry for minutes."""
    host, _, port = (address or "").rpartition(":")
    if not host or "/" in host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS).close()
    except OSError as error:
        raise UsageError(
            f"--ray {address}: cannot start or join Ray: {error}; `ray status --address ADDRESS` asks a cluster, "
            "`ray start --head` makes one"
        ) from error


def _gpus(resources: dict[str, float], cluster: Cluster, device: str | None) -> bool:
    """Return whether workers get one GPU each. Raises `UsageError` if a local Ray has fewer than requested."""
    count = int(resources.get("GPU", 0))
    if device and not device.startswith("cuda"):
        return False
    if count and cluster.address is None and cluster.workers and cluster.workers > count:
        raise UsageError(f"--workers {cluster.workers}: this machine has {count} GPUs, and each worker needs one")
    return count > 0 or device is not None


@dataclass(frozen=True)
class _Post:
    """A worker, its current work (None while it starts), and what it was told to expect after that."""

    actor: Any
    work: Work | None
    then: Work | None = None

    @property
    def blocks(self) -> tuple[Hashable, ...]:
        """The blocks whose images the worker has decoded or decodes now, the present one first."""
        return tuple(work.block for work in (self.work, self.then) if work)


class _Crew:
    """The workers and their current work."""

    def __init__(
        self, cluster: Cluster, job: Job, queue: WorkQueue, on_ready: OnReady, say: Callable[[str], None], *, gpus: bool
    ) -> None:
        import ray

        self.ray, self.cluster, self.queue, self.on_ready, self.say = ray, cluster, queue, on_ready, say
        self.slot = "GPU" if gpus else "CPU"
        self.hire = ray.remote(Worker).options(num_cpus=1, num_gpus=int(gpus), max_restarts=0).remote
        self.job = ray.put(job)
        self.posts: dict[Any, _Post] = {}
        self.idle: list[_Post] = []
        self.unfit: list[str] = []
        self.false_starts = 0
        self.slots, self.looked = 0, -math.inf

    @property
    def working(self) -> bool:
        """Whether any work is in flight."""
        return any(post.work for post in self.posts.values())

    def step(self) -> Iterator[Done | Failed]:
        """Assign work, and collect what finishes within a short time."""
        self._hand_out()
        self._hire()
        finished, _ = self.ray.wait(list(self.posts), timeout=LOOK_SECONDS) if self.posts else ([], [])
        for reference in finished:
            yield from self._take_in(self.posts.pop(reference), reference)

    def _hand_out(self) -> None:
        blocks = [block for post in self.posts.values() for block in post.blocks]
        while self.queue and self.idle:
            before = self.idle.pop()
            if work := self.queue.take(before.blocks, blocks):
                post = _Post(before.actor, work, self.queue.next((work.block,), blocks))
                blocks += post.blocks
                self.posts[post.actor.do.remote(work, post.then)] = post

    def _hire(self) -> None:
        wanted = min(self._slots() - len(self.unfit), len(self.queue) + len(self.posts))
        for _ in range(wanted - len(self.posts) - len(self.idle)):
            actor = self.hire(self.job)
            self.posts[actor.ready.remote()] = _Post(actor, None)
        if not self.posts and self.unfit:
            raise IncompleteError(f"no worker can do this run's work; the last said: {self.unfit[-1]}")

    def _slots(self) -> int:
        """Return the maximum number of workers; one is requested from a cluster without room, for its autoscaler."""
        if self.cluster.workers:
            return self.cluster.workers
        if time.monotonic() - self.looked > LOOK_SECONDS:
            self.slots, self.looked = int(self.ray.cluster_resources().get(self.slot, 0)), time.monotonic()
        return max(1, self.slots)

    def _take_in(self, post: _Post, reference: Any) -> Iterator[Done | Failed]:
        try:
            answer = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            self.ray.kill(post.actor)
            yield from self._died(post, first_line(error))
            return
        if isinstance(answer, Trouble):
            yield from self._in_trouble(post, answer)
            return
        self.false_starts = 0
        faulty = isinstance(answer, list) and any(isinstance(part, Fault) for part in answer)
        if faulty and self.slot == "GPU":
            self.ray.kill(post.actor)  # a CUDA context after an error serves no other unit
        else:
            self.idle.append(post)
        if post.work is None:
            self.on_ready(answer)
        else:
            yield from self.queue.settle(post.work, answer)

    def _died(self, post: _Post, reason: str) -> Iterator[Failed]:
        if post.work:
            yield self.queue.failed(post.work, f"its worker died: {reason}", DEATHS)
            return
        self.false_starts += 1
        self.say(f"a worker died during its start: {reason}")
        if self.false_starts == FALSE_STARTS:
            raise IncompleteError(f"{FALSE_STARTS} workers in a row died during their start; the last: {reason}")

    def _in_trouble(self, post: _Post, trouble: Trouble) -> Iterator[Failed]:
        if trouble.broken:
            self.ray.kill(post.actor)
        else:
            self.idle.append(post)
        if trouble.unfit:
            self.unfit.append(trouble.reason)
            self.say(f"a worker is dismissed: {trouble.reason}")
            if post.work:
                self.queue.put(post.work)
        elif post.work:
            yield self.queue.failed(post.work, trouble.reason)

    def close(self) -> None:
        """End the workers; the next run repeats their current work."""
        for actor in [*(post.actor for post in self.posts.values()), *(post.actor for post in self.idle)]:
            self.ray.kill(actor)
