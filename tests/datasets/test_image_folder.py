import os

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mmdet_eca import ImagePreprocessor, UserError
from mmdet_eca.datasets import (CorruptImage, ImageFolder, SeededSampler,
                                collate_images, image_index)
from tests.conftest import write_images

TRAIN = [
    dict(type='LoadRandomResizedCrop', size=24),
    dict(type='RandomMirror'),
    dict(type='PackImage')
]
VAL = [dict(type='LoadCenterCrop', size=28, shorter_side=32),
       dict(type='PackImage')]


@pytest.fixture
def root(tmp_path):
    write_images(tmp_path / 'train', classes='abc', images_per_class=4)
    return tmp_path / 'train'


def test_images_and_labels_in_order_of_their_names(root):
    (root / 'b' / 'notes.txt').write_text('no image')
    (root / '.cache').mkdir()
    folder = ImageFolder(str(root), VAL)
    assert folder.metainfo == dict(classes=('a', 'b', 'c'))
    assert [folder.path(i) for i in (0, 3, 4, 11)] == [
        f'{root}/a/0.jpg', f'{root}/a/3.jpg', f'{root}/b/0.jpg',
        f'{root}/c/3.jpg'
    ]
    assert [folder[i]['data_samples'] for i in range(len(folder))
            ] == [0] * 4 + [1] * 4 + [2] * 4


def test_index_is_kept_and_made_again_after_a_change(root, monkeypatch):
    names = ImageFolder(str(root), VAL).names
    with monkeypatch.context() as patch:
        patch.setattr(image_index, '_scan', None)  # would fail
        np.testing.assert_array_equal(ImageFolder(str(root), VAL).names, names)
    (root / 'c' / '0.jpg').rename(root / 'c' / '9.JPEG')
    assert ImageFolder(str(root), VAL).path(11) == f'{root}/c/9.JPEG'
    (root / 'c').rename(root / 'd')
    assert ImageFolder(str(root), VAL).classes == ('a', 'b', 'd')
    (root / '.mmdet_eca_index.npz').write_bytes(b'PK half a file')
    assert len(ImageFolder(str(root), VAL)) == 12
    assert [p for p in os.listdir(root) if p.startswith('.')
            ] == ['.mmdet_eca_index.npz']


def test_index_of_a_read_only_folder_is_not_kept(root, monkeypatch):
    def denied(*args, **kwargs):
        raise PermissionError

    monkeypatch.setattr(np, 'savez', denied)
    assert len(ImageFolder(str(root), VAL)) == 12
    assert sorted(os.listdir(root)) == ['a', 'b', 'c']


def test_wrong_folders_are_named(root, tmp_path):
    with pytest.raises(UserError, match='none is no folder'):
        ImageFolder(str(tmp_path / 'none'), VAL)
    (tmp_path / 'bare').mkdir()
    with pytest.raises(UserError, match='bare has no class folders'):
        ImageFolder(str(tmp_path / 'bare'), VAL)
    (root / 'd').mkdir()
    (root / 'e').mkdir()
    (root / 'e' / 'list.txt').write_text('')
    with pytest.raises(UserError, match=r'2 class folders without im.*\(d, e\)'):
        ImageFolder(str(root), VAL)


def load(folder, seed, epoch, num_workers=0):
    sampler = SeededSampler(folder, seed=seed)
    sampler.set_epoch(epoch)
    return list(
        DataLoader(folder, 5, sampler=sampler, collate_fn=collate_images,
                   num_workers=num_workers))


def test_augmentation_depends_on_seed_epoch_and_image_alone(root):
    folder = ImageFolder(str(root), TRAIN)
    one = load(folder, 1, 3)
    np.random.seed(9)
    again = load(folder, 1, 3, num_workers=2)
    for batch, same in zip(one, again):
        assert torch.equal(batch['inputs'], same['inputs'])
        assert torch.equal(batch['data_samples'], same['data_samples'])
    images = [{image.numpy().tobytes() for batch in load(folder, *key)
               for image in batch['inputs']} for key in ((1, 3), (1, 4), (2, 3))]
    assert [len(own) for own in images] == [12] * 3
    assert not images[0] & images[1] and not images[0] & images[2]


def test_corrupt_images_are_left_out_and_named(root):
    (root / 'a' / '1.jpg').write_text('Not found')
    folder = ImageFolder(str(root), VAL)
    assert isinstance(folder[1], CorruptImage)
    batch = collate_images([folder[i] for i in range(4)])
    assert batch['inputs'].shape == (3, 28, 28, 3)
    assert batch['inputs'].dtype == torch.uint8
    assert batch['corrupt'] == [f'{root}/a/1.jpg: not an image']
    nothing = collate_images([folder[1]])
    assert len(nothing['inputs']) == 0 and len(nothing['corrupt']) == 1


def test_preprocessor_is_the_usual_normalisation(root):
    batch = collate_images([ImageFolder(str(root), VAL)[i] for i in range(2)])
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    preprocessor = ImagePreprocessor(mean=mean, std=std, bgr_to_rgb=True)
    out = preprocessor(dict(batch))['inputs']
    rgb = batch['inputs'].numpy()[..., ::-1]
    expected = ((rgb - np.array(mean)) / std).transpose(0, 3, 1, 2)
    assert out.is_contiguous()
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
