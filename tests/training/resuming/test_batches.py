"""Whatever yields the batches, they go on at the very image."""

import pytest

from tests.training.resuming.toy import (
    NUMBERS,
    PIPELINE,
    ToyWatch,
    toy_losses,
    toy_train,
)

PLAIN = dict(NUMBERS, pipeline=[dict(type='ToyNoise')])
LOADERS = {
    'batches of similar shape': dict(
        batch_sampler=dict(type='AspectRatioBatchSampler', drop_last=True)
    ),
    'last batch dropped': dict(drop_last=True),
    'workers that stay': dict(num_workers=2, persistent_workers=True),
    'few batches': dict(num_batch_per_epoch=3),
    'repeated': dict(dataset=dict(type='RepeatDataset', times=2, dataset=NUMBERS)),
    'two sets': dict(dataset=dict(type='ConcatDataset', datasets=[NUMBERS, NUMBERS])),
    'balanced': dict(
        dataset=dict(type='ClassBalancedDataset', oversample_thr=0.9, dataset=NUMBERS)
    ),
    'mixed images': dict(
        dataset=dict(type='MultiImageMixDataset', dataset=PLAIN, pipeline=PIPELINE)
    ),
}


@pytest.mark.parametrize('name', LOADERS)
def test_resumed_within_an_epoch(name, tmp_path):
    loader = LOADERS[name]
    whole = toy_losses(tmp_path / 'whole', loader=loader, randomness=dict(seed=3))
    steps = len(whole) // 3
    ToyWatch.losses = {}
    killed = dict(loader=loader, checkpoint=dict(minutes=0))
    seeds = (dict(seed=3), dict(seed=3), dict(seed=None))  # it is in the checkpoint
    for stop, seed in zip((steps // 2, steps + 1, None), seeds):
        toy_train(
            tmp_path / 'killed', stop=stop, resume=True, randomness=seed, **killed
        )
    assert ToyWatch.losses == whole and len(set(whole.values())) == 3 * steps


def test_resumed_with_another_batch_size(tmp_path):
    """Half of an epoch stays half of it: its second half follows."""
    seed = dict(seed=3)
    toy_losses(tmp_path, stop=6, randomness=seed, checkpoint=dict(minutes=0))
    loader = dict(batch_size=1, drop_last=True)
    losses = toy_losses(tmp_path, resume=True, randomness=seed, loader=loader)
    assert list(losses) == list(range(6, 6 + 7 - 3 + 7))


def test_the_same_seed_gives_the_same_run(tmp_path):
    """Whatever the number of workers, and the seed chosen at random too."""
    one = toy_losses(tmp_path / 'one', randomness=dict(seed=1))
    workers = dict(num_workers=2)
    assert toy_losses(tmp_path / 'a', loader=workers, randomness=dict(seed=1)) == one
    assert toy_losses(tmp_path / 'two', randomness=dict(seed=2)) != one
