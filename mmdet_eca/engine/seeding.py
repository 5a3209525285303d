import random

import numpy as np
import torch


def seed_process(*numbers: int) -> None:
    """Seeds ``random``, NumPy and torch with a few numbers together."""
    # The hash, since seeding NumPy with a tuple takes four times as long.
    seed = hash(numbers) % 2**32
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
