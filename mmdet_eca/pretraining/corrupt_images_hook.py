from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..errors import UserError


@HOOKS.register_module()
class CorruptImagesHook(Hook):
    """Names the images that could not be read, and stops if they are too many.

    The others of their batch are used.

    Args:
        limit (int): How many different files may be corrupt, in each process.
    """

    priority = 'VERY_HIGH'

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self.corrupt = set()

    def _before_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        mode: str = 'train',
    ) -> None:
        """Takes ``corrupt`` out of the batch.

        Raises:
            UserError: If there are more than ``limit``, or no image is left.
        """
        found = data_batch.pop('corrupt')
        for message in set(found) - self.corrupt:
            # An error is logged by every process, not only by the first.
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
