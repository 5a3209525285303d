"""The size that an image's header claims, before a decoder allocates it."""

import os.path as osp
import warnings

from PIL import Image

_ALWAYS_CREDIBLE = 2**26  # pixels
_PIXELS_A_BYTE = 10_000


def is_size_credible(path: str) -> bool:
    """Whether a file can have as many pixels as its header says.

    A decoder allocates them before it reads on. A picture of one colour has up to some
    thousand pixels a byte; 2^26, which a camera may have, are always believed.

    Args:
        path (str): The file; what Pillow cannot open is credible, as far as it knows.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(path) as image:
                pixels = image.width * image.height
    except Image.DecompressionBombError:
        pixels = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # at least
    except Exception:  # Pillow's readers raise many kinds
        return True
    return pixels <= max(_ALWAYS_CREDIBLE, _PIXELS_A_BYTE * osp.getsize(path))
