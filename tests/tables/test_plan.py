"""What is left to do, and doing it."""

import os

import pytest

from mmdet_eca import UserError, config_path
from mmdet_eca.tables import make_plan, run_rows

from .work_dirs import ECA, PLAIN, write_test, write_training

# Stands in for the python that tools/dist_train.sh and dist_test.sh start: it
# leaves what six epochs of training, or an evaluation, would.
PYTHON = """#!/usr/bin/env bash
while [[ $1 != */t*.py || $1 = */torchrun.py ]]; do shift; done
tool=$(basename $1) work_dir=$(sed 's/.*--work-dir //; s/ .*//' <<< "$*")
echo $tool ${@:2} >> commands.txt
case "$tool $work_dir $*" in
    *retinanet_r50*) exit 3;;
    test.py*) cp -r templates/evaluated/. $work_dir;;
    *--resume*) cp -r templates/resumed/. $work_dir;;
    *) mkdir $work_dir && cp -r templates/begun/. $work_dir; exit 9;;
esac
"""


def test_plan_says_what_is_missing(tmp_path):
    write_training(tmp_path / 'a', PLAIN)
    write_training(tmp_path / 'b', epochs=range(1, 10))
    write_training(tmp_path / 'c', 'retinanet_se_r50_fpn_1x', loss=float('inf'))
    plan = make_plan(str(tmp_path))
    assert len(plan) == 19 and plan[0]['name'] == 'faster_rcnn_r50_fpn_1x'
    steps = {step['name']: step for step in plan}
    assert PLAIN not in steps
    assert ' '.join(plan[0]['command']).endswith(
        'tools/dist_train.sh configs/faster_rcnn_r50_fpn_1x.py 4 --work-dir '
        f'{tmp_path}/faster_rcnn_r50_fpn_1x'
    )
    assert steps[ECA]['state'] == 'unfinished'
    assert steps[ECA]['command'][-2:] == [f'{tmp_path}/b', '--resume']
    diverged = steps['retinanet_se_r50_fpn_1x']
    assert diverged['command'] is None and 'diverged' in diverged['problem']
    # A quarter of the training is left; 0.1 s a step of 2 images was logged.
    hours = 117266 * 12 * 0.1 / 2 / 3600
    assert steps[ECA]['gpu_hours'] == pytest.approx(hours / 4, abs=0.2)
    assert steps['retinanet_r101_fpn_1x']['gpu_hours'] == pytest.approx(
        hours * 315.39 / 239.32, abs=0.2
    )


def test_plan_with_other_gpus_scales_the_learning_rate(tmp_path):
    (step,) = make_plan(str(tmp_path / 'none'), 8, [ECA])
    assert step['command'][-1] == '--auto-scale-lr'
    # 0.205 s a step of 2 images: MMDetection 2.0's model zoo.
    assert step['gpu_hours'] == pytest.approx(117266 * 12 / 2 * 0.205 / 3600, abs=0.1)


def test_no_gpus():
    with pytest.raises(UserError, match='--gpus must be at least 1, got 0'):
        make_plan('none', 0)


def test_run_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    templates = tmp_path / 'templates'
    write_training(templates / 'begun', epochs=range(1, 7))
    write_training(
        templates / 'resumed',
        timestamp='20240102_000000',
        epochs=range(7, 13),
        evaluate=False,
    )
    write_test(templates / 'evaluated', '20240103_000000', 0.37)
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin' / 'python').write_text(PYTHON)
    (tmp_path / 'bin' / 'python').chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}/bin:{os.environ["PATH"]}')
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'work').mkdir()
    with open('output.txt', 'w') as output:
        with pytest.raises(UserError) as first:
            run_rows([ECA, PLAIN], 'work', 4, output)
        with pytest.raises(UserError) as second:
            run_rows([ECA, PLAIN], 'work', 4, output)
        run_rows([ECA], 'work', 4, output)  # nothing is left to do
    assert str(first.value) == (
        f'2 of 2 rows did not finish: {PLAIN} (dist_train.sh ended with 3, '
        f'see above); {ECA} (dist_train.sh ended with 9, see above). The same '
        'command goes on where they stopped'
    )
    assert str(second.value).startswith(
        f'1 of 2 rows did not finish: {PLAIN} (dist_train.sh'
    )
    assert f'[2/2] {ECA}: unfinished' in (tmp_path / 'output.txt').read_text()
    train = [
        f'train.py {config_path(f"{name}.py")} --launcher pytorch '
        f'--work-dir work/{name}'
        for name in (PLAIN, ECA)
    ]
    assert (tmp_path / 'commands.txt').read_text().splitlines() == [
        *train,
        train[0],
        f'{train[1]} --resume',
        (
            f'test.py {config_path(f"{ECA}.py")} work/{ECA}/epoch_12.pth '
            f'--launcher pytorch --work-dir work/{ECA}'
        ),
    ]
