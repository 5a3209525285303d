"""Training and evaluation by the command line: real launchers, real files.

What a launcher starts runs in processes of its own; the rest in this one.
"""

import glob
import json
import os.path as osp
import re
import runpy
import shutil
import socket
import sys
import threading
from contextlib import nullcontext

import pytest
import torch
from mmengine.runner import CheckpointLoader

from tests.conftest import ROOT, run
from tests.tools.in_process import call, log, mistake

PYTHON = sys.executable
FASTER = 'configs/digits/faster_rcnn_eca_r50_digits.py'
DIGITS = 'configs/digits/mask_rcnn_eca_r50_digits.py'


def options(data, **more):
    """--cfg-options for a short run on the data set in the folder."""
    settings = {
        f'{loader}_dataloader.{key}': value
        for loader in ('train', 'val', 'test')
        for key, value in {
            'dataset.data_root': data,
            'num_workers': 0,
            'persistent_workers': False,
        }.items()
    }
    settings.update({'randomness.seed': 0, 'default_hooks.logger.interval': 1})
    settings.update(more)
    return ['--cfg-options', *(f'{k}={v}' for k, v in settings.items())]


def digits_options(digits, **more):
    val = f'{digits}/annotations/instances_val.json'
    return options(
        digits,
        **{
            'train_dataloader.batch_size': 2,
            'val_evaluator.ann_file': val,
            'test_evaluator.ann_file': val,
            'train_cfg.max_epochs': 1,
            'train_cfg.val_interval': 1,
            **more,
        },
    )


def free_port():
    with socket.socket() as opened:
        opened.bind(('127.0.0.1', 0))
        return opened.getsockname()[1]


def scalars(work_dir):
    """All rows of the scalars.json files below a work directory, by time."""
    rows = []
    for path in sorted(glob.glob(f'{work_dir}/*/vis_data/scalars.json')):
        with open(path) as file:
            rows += [json.loads(line) for line in file]
    return rows


def trained_to(step, text):
    """Whether a tool's output has the training step '[epoch][step/steps]'."""
    return re.search(r'Epoch\(train\) +' + re.escape(step), text)


def coco_metrics(text):
    """The metrics of the last evaluation in a tool's output."""
    line = [row for row in text.splitlines() if 'coco/bbox_mAP:' in row][-1]
    words = line.split()
    return {
        word[:-1]: float(words[i + 1])
        for i, word in enumerate(words)
        if word.startswith('coco/')
    }


@pytest.fixture(scope='module')
def trained(digits, tmp_path_factory):
    """A work directory that two nodes, a process on each, have trained one epoch
    into; and what each of them has printed."""
    work_dir = tmp_path_factory.mktemp('trained')
    port, done = str(free_port()), {}

    def node(rank):
        done[rank] = run(
            'tools/dist_train.sh',
            DIGITS,
            1,
            '--work-dir',
            work_dir,
            *digits_options(digits),
            NNODES='2',
            NODE_RANK=str(rank),
            PORT=port,
        )

    threads = [threading.Thread(target=node, args=(rank,)) for rank in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(done) == {0, 1}
    return work_dir, done[0].stdout, done[1].stdout


def test_a_training_says_what_it_does_and_what_came_out(trained):
    work_dir, output, _ = trained
    opening, closing = output.split('-' * 72)[1::2]
    assert '8 images for training, 4 for evaluation, 10 classes' in opening
    assert 'MaskRCNN with ECAResNet' in opening
    assert '1 epochs of 2 iterations, batch size 2 x 2' in opening
    ap = coco_metrics(output)['coco/bbox_mAP']
    assert f'coco/bbox_mAP    {ap:.3f} at the end' in closing
    assert f'mmdet-eca test {DIGITS}' in closing and 'epoch_1.pth' in closing
    # What is long stands in the log file alone.
    [path] = work_dir.glob('*/*.log')
    for text in ('System environment:', 'Config:', 'Hooks will be executed'):
        assert text in path.read_text() and text not in output


def test_two_nodes_train_and_evaluate(trained):
    work_dir, output, of_the_second = trained
    [path] = work_dir.glob('*/*.log')
    log = path.read_text()
    assert 'Distributed training: True' in log and 'GPU number: 2' in log
    rows = [row for row in scalars(work_dir) if 'loss' in row]
    assert [row['step'] for row in rows] == [1, 2]  # 8 images, 2 x 2 a step
    assert all(0 < row['loss'] < 100 for row in rows)
    assert not any('memory' in row for row in rows)  # of a GPU
    assert trained_to('[1][2/2]', output)
    assert len(coco_metrics(output)) == 12
    assert (work_dir / 'epoch_1.pth').exists()
    assert 'Epoch(train)' not in of_the_second  # the first process speaks


def test_test_gives_what_training_logged(trained, digits, tmp_path):
    work_dir, output, _ = trained
    call(
        'test',
        DIGITS,
        work_dir / 'epoch_1.pth',
        '--work-dir',
        tmp_path,
        '--show-dir',
        'painted',
        '--out',
        tmp_path / 'predictions.pkl',
        *digits_options(digits),
    )
    logged, tested = coco_metrics(output), coco_metrics(log(tmp_path))
    assert len(logged) == 12 and tested == logged
    assert len(glob.glob(f'{tmp_path}/*/painted/**/*.jpg', recursive=True)) == 4
    assert (tmp_path / 'predictions.pkl').stat().st_size > 0


def test_dist_test_with_tta(trained, digits, tmp_path):
    """With the boxes' half of the Mask R-CNN: mmdet merges no masks."""
    done = run(
        'tools/dist_test.sh',
        FASTER,
        trained[0] / 'epoch_1.pth',
        2,
        '--tta',
        '--work-dir',
        tmp_path,
        *digits_options(digits),
        PORT=str(free_port()),
    )
    boxes = {name for name in coco_metrics(trained[1]) if 'bbox' in name}
    assert set(coco_metrics(done.stdout)) == boxes


def test_resume_goes_on(trained, digits, tmp_path):
    work_dir = shutil.copytree(trained[0], tmp_path / 'work')
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_1.pth'))
    call(
        'train',
        DIGITS,
        '--work-dir',
        work_dir,
        '--resume',
        *digits_options(digits, **{'train_cfg.max_epochs': 2}),
    )
    output = log(work_dir)
    assert 'resumed epoch: 1, iter: 2' in output
    assert trained_to('[2][4/4]', output)
    assert not trained_to('[1][4/4]', output)
    state = CheckpointLoader.load_checkpoint(str(work_dir / 'epoch_2.pth'))
    assert state['meta']['epoch'] == 2


def first_step(coco, work_dir, processes, per_process):
    """Loss and weights after one step of the paper's RetinaNet, made narrow."""
    work_dir.mkdir()
    config = work_dir / 'retinanet.py'
    config.write_text(
        f"_base_ = '{ROOT}/configs/retinanet_eca_r50_fpn_1x.py'\n"
        "custom_imports = dict(imports=['mmdet_eca', 'tests.tools.mean_loss'])\n"
        "custom_hooks = [dict(type='WriteMeanLoss')]\n"
    )
    arguments = [
        '--work-dir',
        work_dir,
        *options(
            f'{coco}/',
            **{
                'val_evaluator.ann_file': f'{coco}/annotations/instances_val2017.json',
                'model.backbone.init_cfg': 'None',
                'model.backbone.base_channels': 16,
                'model.neck.in_channels': '[64,128,256,512]',
                'model.neck.out_channels': 32,
                'model.bbox_head.in_channels': 32,
                'model.bbox_head.feat_channels': 32,
                'train_dataloader.batch_size': per_process,
                'train_dataloader.sampler.shuffle': 'False',
                'train_dataloader.dataset.pipeline.2.scale': '(160,128)',
                'train_dataloader.dataset.pipeline.3.prob': 0.0,
                'param_scheduler': 'None',
                'train_cfg.max_epochs': 1,
                'train_cfg.val_begin': 2,
            },
        ),
    ]
    if processes == 1:
        call('train', config, *arguments)
    else:
        run(
            'tools/dist_train.sh',
            config,
            processes,
            *arguments,
            PORT=str(free_port()),
            PYTHONPATH=ROOT,
        )
    with open(work_dir / 'mean_loss.json') as file:
        loss = json.load(file)
    return loss, torch.load(work_dir / 'epoch_1.pth')['state_dict']


def test_two_processes_are_one_with_twice_the_batch(coco, tmp_path):
    """Real configuration, COCO's layout, different images in each process."""
    loss, weights = first_step(coco, tmp_path / 'two', 2, 2)
    expected_loss, expected = first_step(coco, tmp_path / 'one', 1, 4)
    assert len(loss) == len(expected_loss) == 1
    assert loss == pytest.approx(expected_loss, rel=1e-4)
    for name, weight in expected.items():
        torch.testing.assert_close(
            weights[name], weight, rtol=1e-4, atol=1e-6, msg=name
        )


def test_slurm(digits, tmp_path):
    """The script and the launcher, with an srun that starts two tasks here."""
    srun = tmp_path / 'srun'
    srun.write_text("""#!/usr/bin/env bash
[ "$1 $2 $3" = "-p part --job-name=name" ] || exit 9
while [ "$1" != python ]; do shift; done
export SLURM_NTASKS=2 SLURM_NODELIST=localhost
for rank in 0 1; do SLURM_PROCID=$rank SLURM_LOCALID=$rank "$@" & done
wait -n && wait -n
""")
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text('#!/usr/bin/env bash\necho localhost\n')
    for path in (srun, scontrol):
        path.chmod(0o755)
    run(
        'env',
        f'PATH={tmp_path}:{osp.dirname(PYTHON)}:/usr/bin:/bin',
        'tools/slurm_train.sh',
        'part',
        'name',
        DIGITS,
        tmp_path / 'work',
        *digits_options(digits, **{'train_cfg.val_begin': 2}),
        MASTER_PORT=str(free_port()),
    )
    [log] = (tmp_path / 'work').glob('*/*.log')
    assert 'GPU number: 2' in log.read_text()
    assert (tmp_path / 'work' / 'epoch_1.pth').exists()


@pytest.mark.parametrize(
    ('command', 'message'),
    [
        (('train', 'configs/none.py'), 'config configs/none.py does not'),
        (
            ('train', 'configs/faster_rcnn_eca_r50_fpn_1x.py'),
            'pretrained weights pretrained/eca_resnet50_k3557.pth.tar does not exist',
        ),
        (('test', DIGITS, 'none.pth'), 'checkpoint none.pth does not'),
        (('test', DIGITS, 'none.pth', '--tta'), 'boxes, but not masks'),
        (('make-digits', '--num-val', '0'), 'num_val must be at least 1'),
    ],
)
def test_a_users_mistake_is_one_line(command, message, tmp_path):
    work_dir = [] if command[0] == 'make-digits' else ['--work-dir', tmp_path]
    line = mistake(*command, *work_dir)
    assert line.startswith(f'mmdet-eca {command[0]}: error: ') and message in line
    assert not list(tmp_path.iterdir())


def test_launcher_finds_configs_of_the_package_and_a_mistake_is_one_line(tmp_path):
    """In another folder. Which of several processes speaks: tests/test_errors.py."""
    done = run(
        'env',
        '-C',
        tmp_path,
        f'PYTHONPATH={ROOT}',
        f'{ROOT}/tools/dist_train.sh',
        'configs/retinanet_r50_fpn_1x.py',
        1,
        '--cfg-options',
        'load_from=none.pth',
        check=False,
        PORT=str(free_port()),
    )
    assert done.returncode == 1
    (message,) = [
        line
        for line in done.stderr.splitlines()
        if 'checkpoint none.pth does not exist' in line
    ]
    assert message.startswith(f'{ROOT}/tools/train.py: error: checkpoint')
    assert 'Traceback' not in done.stderr


def test_other_kernel_sizes_in_the_checkpoint(trained, digits, tmp_path):
    line = mistake(
        'test',
        DIGITS,
        trained[0] / 'epoch_1.pth',
        '--work-dir',
        tmp_path,
        *digits_options(digits, **{'model.backbone.kernel_size': 3}),
    )
    assert 'set kernel_size=(3, 5, 5, 7)' in line


TOO_MANY = 'but 1 GPUs on this machine: start at most one process a GPU'


@pytest.mark.parametrize(
    ('processes', 'gpus', 'message'),
    [
        ('2', 1, f'error: 2 processes, {TOO_MANY}'),
        ('cpu', 1, f'error: 3 processes, {TOO_MANY}'),
        (
            'all',
            1,
            'error: --nproc-per-node=all: Unsupported nproc_per_node value: all',
        ),
        ('gpu', 0, 'error: --nproc-per-node=gpu: Cuda is not available.'),
        ('gpu', 2, 'torchrun starts gpu'),
        ('auto', 2, 'torchrun starts auto'),
        ('2', 2, 'torchrun starts 2'),
        ('cpu', 0, 'torchrun starts cpu'),
        ('9', 0, 'torchrun starts 9'),
    ],
)
def test_number_of_processes(processes, gpus, message, monkeypatch):
    """Torch is told how many GPUs and CPUs there are; nothing is started."""
    started = []
    fakes = {
        'torch.cuda.device_count': lambda: gpus,
        'torch.cuda.is_available': lambda: gpus > 0,
        'torch.distributed.run.run': lambda args: started.append(args.nproc_per_node),
        'os.cpu_count': lambda: 3,
        'torch._utils.cpu_count': lambda: 3,
    }
    accelerator = torch.device('cuda')
    fakes['torch.accelerator.is_available'] = lambda: gpus > 0
    fakes['torch.accelerator.device_count'] = lambda: gpus
    fakes['torch.accelerator.current_accelerator'] = lambda: accelerator
    for name, fake in fakes.items():
        monkeypatch.setattr(name, fake, raising=False)
    arguments = ['torchrun', f'--nproc-per-node={processes}', 'tools/train.py']
    monkeypatch.setattr(sys, 'argv', arguments)
    refusal = pytest.raises(SystemExit) if message.startswith('error') else None
    with refusal or nullcontext() as end:
        runpy.run_path(f'{ROOT}/tools/torchrun.py', run_name='__main__')
    if refusal:
        assert (end.value.code, started) == (message, [])
    else:
        assert f'torchrun starts {started[0]}' == message
