"""Run something again whenever files change."""

from collections.abc import Callable, Iterable
from pathlib import Path

from watchfiles import Change, DefaultFilter, watch

from ragcli.errors import RagcliError, UsageError

_CALM = 500  # milliseconds without a change after which a group of changes is complete
_LONGEST = 5_000  # maximal milliseconds of a group of changes


class _Relevant(DefaultFilter):
    """Select changes in watched folders and files, except those written by the run itself."""

    def __init__(self, watched: Iterable[Path], written: Iterable[Path]) -> None:
        super().__init__(ignore_paths=[path.resolve() for path in written])
        self._watched = list(watched)

    def __call__(self, change: Change, path: str) -> bool:
        changed = Path(path)
        return super().__call__(change, path) and any(one in (changed, *changed.parents) for one in self._watched)


def keep_fresh(
    paths: Iterable[Path], written: Iterable[Path], run: Callable[[], object], failed: Callable[[RagcliError], None]
) -> None:
    """Run once, and again after each group of changes of these files and folders, until Ctrl-C.

    The first run may raise; later errors go to `failed`, and watching continues.
    """
    paths = list(paths)
    if missing := next((path for path in paths if not path.exists()), None):
        raise UsageError(f"{missing} cannot be watched", "Name files and folders; --watch cannot read standard input.")
    watched = [path.resolve() for path in paths]
    groups = watch(
        *{path if path.is_dir() else path.parent for path in watched},
        watch_filter=_Relevant(watched, written),
        debounce=_LONGEST,
        step=_CALM,
        recursive=any(path.is_dir() for path in watched),
        rust_timeout=_CALM,
        yield_on_timeout=True,  # so that watching begins before the first run, and no change is lost
        raise_interrupt=False,
    )
    next(groups, None)
    run()
    for changes in groups:
        if changes:
            try:
                run()
            except RagcliError as e:
                failed(e)
