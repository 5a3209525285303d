import pytest

from mmdet_eca import UserError
from mmdet_eca.training.images import find_images


@pytest.fixture
def folder(tmp_path):
    for name in ('b.jpg', 'a.PNG', 'notes.txt', 'inside/c.tiff'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / 'folder.jpg').mkdir()
    return tmp_path


def test_files_folders_and_patterns_each_image_once(folder):
    def find(*names):
        paths = find_images([str(folder / name) for name in names])
        return [path[len(str(folder)) + 1 :] for path in paths]

    assert find('') == ['a.PNG', 'b.jpg']
    assert find('**/*') == ['a.PNG', 'b.jpg', 'inside/c.tiff']
    assert find('b.jpg', '', 'inside') == ['b.jpg', 'a.PNG', 'inside/c.tiff']
    assert find('notes.txt') == ['notes.txt']  # as its user says


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('nothing.jpg', 'nothing.jpg does not exist'),
        ('folder.jpg', 'has no images: their names end in .jpg, .jpeg, .png'),
        ('*.bmp', 'no image fits the pattern'),
        ('not*.txt', 'no image fits the pattern'),
    ],
)
def test_what_has_no_images_is_named(folder, name, message):
    with pytest.raises(UserError, match=message):
        find_images([str(folder / name)])
