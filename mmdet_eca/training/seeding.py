import random

import numpy as np
import torch
from torch.utils.data import get_worker_info


def seed_process(*numbers: int) -> None:
    """Seeds ``random``, NumPy and torch with a few numbers together."""
    # The hash, since seeding NumPy with a tuple takes four times as long.
    seed = hash(numbers) % 2**32
    random.seed(seed)
    np.random.seed(seed)
    if get_worker_info() is None:
        torch.manual_seed(seed)
    else:  # `torch.manual_seed` takes 0.2 ms in a worker, for devices it does not use
        torch.default_generator.manual_seed(seed)
