"""Where nothing can be written, a command says so before its work."""

import pytest

from mmdet_eca import UserError
from mmdet_eca.training.outputs import check_new_file, check_new_folder


def test_what_can_be_written_passes_and_leaves_nothing(tmp_path):
    check_new_folder(str(tmp_path))
    check_new_folder(str(tmp_path / 'a' / 'b'))
    check_new_file(str(tmp_path / 'file.json'))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('check', 'name', 'message'),
    [
        (check_new_folder, 'file', 'file exists'),
        (check_new_folder, 'file/out', 'file/out cannot be written'),
        (check_new_file, 'file', 'file exists'),
        (check_new_file, 'none/out', 'folder .*none of .* does not exist'),
        # Not even the superuser can write there.
        (check_new_folder, '/proc/out', '/proc/out cannot be written'),
        (check_new_file, '/proc/out', '/proc/out cannot be written'),
    ],
)
def test_what_cannot_be_written_is_named(check, name, message, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match=message):
        check(str(tmp_path / name))
