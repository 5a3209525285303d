"""A run that is killed and resumed logs what the uninterrupted one has logged."""

import pytest

from tests.engine.resuming.runs import logged, train


@pytest.mark.parametrize(
    'name',
    [
        'faster_rcnn_eca_r50_digits',
        'mask_rcnn_eca_r50_digits',
        'retinanet_eca_r50_digits',
    ],
)
def test_after_an_epoch(name, digits, tmp_path):
    """Bit by bit: samplers, augmentation, schedules and optimiser included."""
    config = f'digits/{name}'
    train(config, digits, tmp_path / 'whole')
    train(config, digits, tmp_path / 'killed', stop=6)
    train(config, digits, tmp_path / 'killed', '--resume')
    assert list(logged(tmp_path / 'whole')) == list(range(1, 9))
    assert logged(tmp_path / 'killed') == logged(tmp_path / 'whole')
