import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmdet_eca import UserError
from mmdet_eca.pretraining import (
    CorruptImage,
    ImageFolder,
    ImagePreprocessor,
    collate_images,
)
from mmdet_eca.training.resuming import ResumableBatchSampler, SeededIndex, seed_items
from tests.conftest import write_images

TRAIN = [
    dict(type='LoadRandomResizedCrop', size=24),
    dict(type='RandomMirror'),
    dict(type='PackImage'),
]
VAL = [dict(type='LoadCenterCrop', size=28, shorter_side=32), dict(type='PackImage')]


def test_images_and_labels_in_order_of_their_names(root):
    (root / 'b' / 'notes.txt').write_text('no image')
    (root / '.cache').mkdir()
    folder = ImageFolder(str(root), VAL)
    assert folder.metainfo == dict(classes=('a', 'b', 'c'))
    assert [folder.get_data_info(i)['img_path'] for i in (0, 3, 4, 11)] == [
        f'{root}/a/0.jpg',
        f'{root}/a/3.jpg',
        f'{root}/b/0.jpg',
        f'{root}/c/3.jpg',
    ]
    assert [folder[i]['data_samples'] for i in range(len(folder))] == [0] * 4 + [
        1
    ] * 4 + [2] * 4


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


def seeded(folder, seed, epoch):
    """Batches of five indices, as a run has them in that epoch."""
    seed_items(folder)
    batches = ResumableBatchSampler(DefaultSampler(folder, seed=seed), 5, seed)
    batches.sampler.set_epoch(epoch)
    batches.start_at(epoch, 0)
    return batches


def load(folder, seed, epoch, num_workers=0):
    batches = seeded(folder, seed, epoch)
    return list(
        DataLoader(
            folder,
            batch_sampler=batches,
            collate_fn=collate_images,
            num_workers=num_workers,
        )
    )


def test_augmentation_depends_on_seed_epoch_and_image_alone(root):
    folder = ImageFolder(str(root), TRAIN)
    one = load(folder, 1, 3)
    np.random.seed(9)
    again = load(folder, 1, 3, num_workers=2)
    for batch, same in zip(one, again):
        assert torch.equal(batch['inputs'], same['inputs'])
        assert torch.equal(batch['data_samples'], same['data_samples'])
    images = [
        {
            image.numpy().tobytes()
            for batch in load(folder, *key)
            for image in batch['inputs']
        }
        for key in ((1, 3), (1, 4), (2, 3))
    ]
    assert [len(own) for own in images] == [12] * 3
    assert not images[0] & images[1] and not images[0] & images[2]


WRAPPERS = dict(
    one=lambda a, b: dict(type='ConcatDataset', datasets=[a]),
    both=lambda a, b: dict(type='ConcatDataset', datasets=[a, b]),
    repeated=lambda a, b: dict(type='RepeatDataset', times=3, dataset=a),
    balanced=lambda a, b: dict(
        type='ClassBalancedDataset', oversample_thr=0.6, dataset=a
    ),
    nested=lambda a, b: dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(
            type='ConcatDataset',
            datasets=[
                b,
                dict(type='ClassBalancedDataset', oversample_thr=0.6, dataset=a),
            ],
        ),
    ),
)


@pytest.mark.parametrize('name', WRAPPERS)
@pytest.mark.parametrize('num_workers', [0, 2])
def test_wrapped_images_are_augmented_as_those_of_the_folder(
    root, tmp_path, name, num_workers
):
    """By seed, epoch and place in the wrapper, whatever process they fall to."""
    write_images(tmp_path / 'more', 'abc', images_per_class=3, seed=1)
    (root / 'c' / '0.jpg').unlink()  # a rarer class, which is repeated
    (root / 'c' / '1.jpg').unlink()
    one, more = (
        dict(type='ImageFolder', root=str(path), pipeline=TRAIN)
        for path in (root, tmp_path / 'more')
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        wrapped = DATASETS.build(WRAPPERS[name](one, more))
        unaugmented = [dict(folder, pipeline=VAL) for folder in (one, more)]
        plain = DATASETS.build(WRAPPERS[name](*unaugmented))
    assert wrapped.metainfo['classes'] == ('a', 'b', 'c')
    places = [key.index for batch in seeded(wrapped, 1, 3) for key in batch]
    batches = load(wrapped, 1, 3, num_workers)
    images = torch.cat([batch['inputs'] for batch in batches])
    labels = torch.cat([batch['data_samples'] for batch in batches])

    # Which image of which folder is at a place, by its pixels.
    folders = [DATASETS.build(folder) for folder in (one, more)]
    origin = {
        ImageFolder(folder.root, VAL)[i]['inputs'].tobytes(): (folder, i)
        for folder in folders
        for i in range(len(folder))
    }
    assert len(origin) == 10 + 9
    for place, image, label in zip(places, images, labels):
        folder, i = origin[plain[place]['inputs'].tobytes()]
        seed_items(folder)
        (direct,) = folder.__getitems__([SeededIndex(i, (1, 3, place))])
        np.testing.assert_array_equal(image, direct['inputs'])
        assert label == direct['data_samples'] == folder.get_data_info(i)['gt_label']
    assert len({image.numpy().tobytes() for image in images}) == len(wrapped)


def test_corrupt_images_are_left_out_and_named(root):
    (root / 'a' / '1.jpg').write_text('Not found')
    folder = ImageFolder(str(root), VAL)
    assert isinstance(folder[1], CorruptImage)
    batch = collate_images([folder[i] for i in range(4)])
    assert batch['inputs'].shape == (3, 28, 28, 3)
    assert batch['inputs'].dtype == torch.uint8
    assert batch['corrupt'] == [f'{root}/a/1.jpg: not an image']
    assert batch['img_path'] == [f'{root}/a/{i}.jpg' for i in (0, 2, 3)]
    nothing = collate_images([folder[1]])
    assert len(nothing['inputs']) == 0 and len(nothing['corrupt']) == 1


def test_a_base_config_may_be_named_by_its_package(root, tmp_path):
    """mmengine then gives each type a scope, that of the collate function too."""
    (tmp_path / 'mine.py').write_text(
        "_base_ = 'mmdet_eca::imagenet/eca_resnet50.py'\n"
    )
    cfg = Config.fromfile(tmp_path / 'mine.py').val_dataloader
    loader = Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=0,
            dataset=ImageFolder(str(root), VAL),
            sampler=cfg.sampler,
            collate_fn=cfg.collate_fn,
        )
    )
    assert len(next(iter(loader))['img_path']) == 2


def test_preprocessor_is_the_usual_normalisation(root):
    batch = collate_images([ImageFolder(str(root), VAL)[i] for i in range(2)])
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    preprocessor = ImagePreprocessor(mean=mean, std=std, bgr_to_rgb=True)
    data = preprocessor(dict(batch))
    assert set(data) == {'inputs', 'data_samples'}
    out = data['inputs']
    rgb = batch['inputs'].numpy()[..., ::-1]
    expected = ((rgb - np.array(mean)) / std).transpose(0, 3, 1, 2)
    assert out.is_contiguous()
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
