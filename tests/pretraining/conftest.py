import pytest

from tests.conftest import write_images


@pytest.fixture
def root(tmp_path):
    """A folder with the class folders a, b and c of four images each."""
    write_images(tmp_path / 'train', classes='abc', images_per_class=4)
    return tmp_path / 'train'
