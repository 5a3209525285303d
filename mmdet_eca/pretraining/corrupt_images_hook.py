from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..errors import UserError


@HOOKS.register_module()
class CorruptImagesHook(Hook):
    """Logs the images that could not be read, and stops the run if there are too many.

    The other images of their batch are used. mmengine's BaseDataset takes another
    image at random in their place, and does not log it.

    Args:
        limit (int): How many different files each process accepts as corrupt.
    """

    priority = 'VERY_HIGH'

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self.corrupt: set[str] = set()

    def _before_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        mode: str = 'train',
    ) -> None:
        """Removes ``corrupt``, the list of :func:`collate_images`, from the batch.

        Raises:
            UserError: If more than ``limit`` files are corrupt, or all images of
                the batch are.
        """
        found = data_batch.pop('corrupt')
        for message in set(found) - self.corrupt:
            # Below the level of an error only the first process logs.
            runner.logger.error(
                f'corrupt image {len(self.corrupt) + 1}, skipped: {message}'
            )
            self.corrupt.add(message)
        if len(self.corrupt) > self.limit:
            raise UserError(
                f'{len(self.corrupt)} corrupt images, {self.limit} allowed: '
                f'{"; ".join(sorted(self.corrupt)[:5])}. Repair or remove them, '
                'or set default_hooks.corrupt_images.limit'
            )
        if found and not len(data_batch['inputs']):
            raise UserError(f'a whole batch of corrupt images: {"; ".join(found[:5])}')
