"""Plans the trainings of the paper's tables, and does them."""

import os

import pytest

from mmdet_eca import UserError, config_path
from mmdet_eca.paper import make_plan, paper_trainings, plan_text, run_rows

from .work_dirs import ECA, ECA_50, PLAIN, write_test, write_training

# Stands in for the python that tools/dist_train.sh and dist_test.sh start: it
# leaves what six epochs of training, or an evaluation, would.
PYTHON = """#!/usr/bin/env bash
while [[ $1 != */[tp]*.py || $1 = */torchrun.py ]]; do shift; done
tool=$(basename $1) work_dir=$(sed 's/.*--work-dir //; s/ .*//' <<< "$*")
echo $tool ${@:2} >> commands.txt
case "$tool $work_dir $*" in
    *retinanet_r50*) exit 3;;
    test.py*) cp -r templates/evaluated/. $work_dir;;
    *--resume*) cp -r templates/resumed/. $work_dir;;
    *) cp -r templates/begun/. $work_dir; exit 9;;
esac
"""


def plan(work_dirs, gpus=4, names=(), tables=None, figures=None):
    return make_plan(paper_trainings(tables, figures, names), str(work_dirs), gpus)


def run(names, output=None):
    return run_rows(paper_trainings(names=names), 'work', 4, output=output)


def test_plan_says_what_is_missing(tmp_path):
    write_training(tmp_path / 'a', PLAIN)
    write_training(tmp_path / 'b', epochs=range(1, 10))
    write_training(tmp_path / 'c', 'retinanet_se_r50_fpn_1x', loss=float('inf'))
    planned = plan(str(tmp_path))
    assert len(planned) == 19 and planned[0]['name'] == 'faster_rcnn_r50_fpn_1x'
    steps = {step['name']: step for step in planned}
    assert PLAIN not in steps
    assert ' '.join(planned[0]['command']).endswith(
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
    (step,) = plan(str(tmp_path / 'none'), 8, [ECA])
    assert step['command'][-1] == '--auto-scale-lr'
    # 0.205 s a step of 2 images: MMDetection 2.0's model zoo.
    assert step['gpu_hours'] == pytest.approx(117266 * 12 / 2 * 0.205 / 3600, abs=0.1)


def test_run_goes_on_where_it_was_stopped(tmp_path, monkeypatch, reproduce_tables):
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
            run([ECA, PLAIN], output)
        with pytest.raises(UserError) as second:
            run([ECA, PLAIN], output)
    said = reproduce_tables('run', ECA, '--work-dirs', 'work').out
    assert said.startswith('Nothing is missing')
    for failed in (
        '2 of 2 runs did not finish',
        f'{PLAIN}: dist_train.sh ended with 3',
        f'{ECA}: dist_train.sh ended with 9',
    ):
        assert failed in str(first.value)
    assert f'1 of 2 runs did not finish: {PLAIN}: ' in str(second.value)
    assert 'hours' in (tmp_path / 'output.txt').read_text()
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


# Of Table 3; the paper trains ResNets for 100 epochs.
IMAGES_100 = 100 * 1281167


def hours(step):
    """GPU hours by the plan, in images a second on four GPUs."""
    return IMAGES_100 * 4 / 3600 / step['gpu_hours']


def test_each_classifier_is_trained_once_for_all_its_places(tmp_path):
    planned = plan(str(tmp_path), tables=(1, 2, 3, 4, 5, 6), figures=(1, 4))
    steps = {step['name']: step for step in planned}
    assert len(steps) == len(planned) == 20 + 26 + 8 + 7  # Tables 5, 3, 2 and Figure 4
    assert (steps[ECA_50]['tables'], steps[ECA_50]['figures']) == ([3, 4], [1, 4])
    assert steps['resnet50']['tables'] == [2, 3]
    k3 = steps['eca_k3_resnet50']
    assert (k3['tables'], k3['figures']) == ([2], [4])
    assert ' '.join(k3['command']).endswith(
        'tools/dist_pretrain.sh configs/imagenet/eca_k3_resnet50.py 4 --work-dir '
        f'{tmp_path}/eca_k3_resnet50'
    )
    text = plan_text(planned)
    assert '# eca_resnet50: missing, 181.3 GPU hours' in text
    total = sum(step['gpu_hours'] for step in planned)
    assert text.splitlines()[-1] == f'# {len(planned)} in all, {total:.0f} GPU hours'


@pytest.mark.parametrize(
    ('tables', 'figures', 'number'),
    [((1,), (), 0), ((2,), (), 10), ((4,), (), 2), ((), (4,), 12), ((), (1,), 19)],
)
def test_only_what_a_table_needs_is_planned(tables, figures, number):
    assert len(plan('none', 4, (), tables, figures)) == number


def test_gpu_hours_of_classifiers_are_by_the_papers_speed():
    steps = {step['name']: step for step in plan('none', 4, (), (2, 3), (4,))}
    for name, images_a_second in (
        ('resnet50', 1024),
        (ECA_50, 785),
        ('se_resnet152', 268),
        ('se_var3_resnet50', 785),  # as large as ECA's
        ('eca_k5_resnet101', 380),
        ('resnet18', 1024 * 3.86 / 1.699),  # by the operations
        ('a2_resnet50', 785 * 3.86 / 6.50),
    ):
        assert hours(steps[name]) == pytest.approx(images_a_second, rel=2e-3)
    assert steps['a2_resnet50']['basis'] == (
        '466 images/s: the 785 of eca_resnet50, scaled by FLOPs'
    )
    mobile = steps['mobilenetv2']  # 400 epochs
    assert hours(mobile) == pytest.approx(711 / 4, rel=2e-3)


def test_gpu_hours_of_classifiers_follow_the_speed_of_their_runs(tmp_path):
    write_training(tmp_path / 'detector', PLAIN)
    write_training(tmp_path / 'classifier', ECA_50, epochs=range(1, 21))
    planned = plan(str(tmp_path), tables=(3, 5))
    steps = {step['name']: step for step in planned}
    # 0.1 s a step of 64 images on a GPU was logged; 80 of 100 epochs are left.
    expected = 80 * 1281167 * 0.1 / 64 / 3600
    assert steps[ECA_50]['gpu_hours'] == pytest.approx(expected, abs=0.1)
    assert steps[ECA_50]['command'][-1] == '--resume'
    assert hours(steps['resnet50']) == pytest.approx(640 * 4 * 1024 / 785, rel=2e-3)
    assert steps[ECA]['gpu_hours'] == pytest.approx(
        117266 * 12 * 0.1 / 2 / 3600, abs=0.1
    )


@pytest.mark.parametrize(
    ('selection', 'message'),
    [
        (
            dict(names=['eca_resnet5O']),
            "there is no row 'eca_resnet5O', did you mean eca_resnet50",
        ),
        (dict(names=[ECA_50], tables=[5]), "there is no row 'eca_resnet50'"),
    ],
)
def test_what_is_not_in_the_paper_is_refused(selection, message):
    with pytest.raises(UserError) as error:
        plan('none', **selection)
    assert message in str(error.value)


def test_no_classifier_starts_without_imagenet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as missing:
        run([PLAIN, ECA_50])
    (tmp_path / 'data' / 'imagenet' / 'train' / 'n01440764').mkdir(parents=True)
    with pytest.raises(UserError) as one:
        run([PLAIN, ECA_50])
    assert 'data/imagenet/train must have 1000 class folders' in str(missing.value)
    assert 'it has none' in str(missing.value) and 'it has 1: ' in str(one.value)
    assert not (tmp_path / 'work').exists()
