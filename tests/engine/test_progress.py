"""What a terminal is told while a run goes on."""

from bench.engine.progress import Bar


def test_the_bar_says_that_reliability_is_checked_when_all_images_are_done() -> None:
    bar = Bar(10, checks=2)
    (task,) = bar.progress.tasks
    bar.finished("tiny/clean", 4)
    assert (task.description, task.fields["checking"]) == ("tiny/clean", False)
    for done in ("tiny/pgd", "reliability of tiny/pgd of a"):
        bar.finished(done, 6 if done == "tiny/pgd" else 0)
        assert task.description == f"checking reliability: {int(done != 'tiny/pgd')} of 2 done"
        assert str(bar.progress.columns[-1](task)) == "?"  # no image is left, and still it goes on
    bar.finished("reliability of tiny/pgd of b", 0)
    assert not task.fields["checking"]
    assert task.completed == 10


def test_a_name_in_brackets_is_no_markup() -> None:
    bar = Bar(2)
    bar.finished("reliability of tiny/pgd of a [bold 1a2b]", 1)
    (task,) = bar.progress.tasks
    assert str(bar.progress.columns[0](task)) == "reliability of tiny/pgd of a [bold 1a2b]"
