import os
import os.path as osp
from collections.abc import Callable
from typing import Any

from mmengine.logging import MessageHub

OUTDATED = 'outdated'  # in the message hub, and so in checkpoints: files to be removed


class RemoveLater:
    """A file backend that removes nothing yet.

    A path may have been written anew since; then it is kept. If the process is killed
    before it has removed a file, the next one reads its name in the checkpoint.

    Args:
        backend: The file backend of mmengine's that removes in the end.
        hub (MessageHub): Gets the names.
    """

    def __init__(self, backend: Any, hub: MessageHub) -> None:
        self.backend = backend
        self.hub = hub
        self.removals: list[tuple[Callable, str, os.stat_result | None]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        """Removes a file, later."""
        self._note(self.backend.remove, path)

    def rmtree(self, path: str) -> None:
        """Removes a folder, later."""
        self._note(self.backend.rmtree, path)

    def remove_now(self) -> None:
        """Removes them."""
        for remove, path, before in self.removals:
            now = _stat(path)
            if now is None or before is None or now.st_ino == before.st_ino:
                remove(path)

    def forget(self) -> None:
        """Leaves them where they are."""
        self.hub.update_info(OUTDATED, [])

    def _note(self, remove: Callable, path: str) -> None:
        self.removals.append((remove, path, _stat(path)))
        self.hub.update_info(OUTDATED, [osp.basename(p) for _, p, _ in self.removals])


def _stat(path: str) -> os.stat_result | None:
    return os.stat(path) if osp.exists(path) else None
