"""What the demo says of a finished run; `make demo` itself runs the whole."""
import json

import pytest

from mmdet_eca import UserError
from mmdet_eca.demo import run_demo

CONFIG = 'configs/digits/mask_rcnn_eca_r50_digits.py'


@pytest.fixture
def finished(tmp_path):
    """Writes the results of a run; returns the folder."""

    def write(box, mask, **changes):
        metrics = {
            f'coco/{task}_{column}': value
            for task, value in (('bbox', box), ('segm', mask))
            for column in ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
        }
        (tmp_path / 'results.json').write_text(
            json.dumps({
                **dict(
                    config=CONFIG, seed=0, minutes=8.25, metrics=metrics,
                    checkpoint='work/epoch_4.pth'),
                **changes
            }))
        return str(tmp_path)

    return write


def test_finished_run_is_reported_not_repeated(finished, capsys):
    folder = finished(0.412, 0.334)
    run_demo(CONFIG, folder, seed=0)
    report = capsys.readouterr().out
    assert 'in 8.2 minutes' in report or 'in 8.3 minutes' in report
    assert 'work/epoch_4.pth' in report and 'predictions.png' in report
    assert 'tools/dist_train.sh configs/mask_rcnn_eca_r50_fpn_1x.py 4' in report
    assert len(report.splitlines()) < 24  # one screen
    with open(f'{folder}/coco.txt') as file:
        header, box, mask = file.read().splitlines()
    assert header.split() == ['AP', 'AP50', 'AP75', 'APS', 'APM', 'APL']
    assert box.split() == ['box'] + ['0.412'] * 6
    assert mask.split() == ['mask'] + ['0.334'] * 6


@pytest.mark.parametrize(('box', 'mask', 'message'), [
    (0.349, 0.4, 'box AP 0.349 is below 0.35'),
    (0.4, 0.299, 'mask AP 0.299 is below 0.3'),
])
def test_ap_below_the_bar_fails(finished, box, mask, message):
    with pytest.raises(UserError, match=message):
        run_demo(CONFIG, finished(box, mask), seed=0)


def test_results_of_another_run_are_kept(finished):
    folder = finished(0.4, 0.4, seed=1)
    with pytest.raises(UserError, match='with seed 1: remove it, or give'):
        run_demo(CONFIG, folder, seed=0)
