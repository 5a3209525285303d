"""Starts the paper's Mask R-CNN on a set of COCO's size, with mmdet's train.py and with
this package's, and compares their memory and the seconds until the first iteration:

python -m tests.data.full_size PHOTOGRAPHS FOLDER [--processes 4] [--images 118287]

PHOTOGRAPHS is a folder of JPEGs of 640x480, which stand for all images; FOLDER gets the
set (600 MB) and the runs' logs. The processes talk through gloo, and have one image
each. Four of them on the whole set need more than 24 GB.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import mmdet

from tests.conftest import ROOT
from tests.data import big_coco

CONFIG = 'configs/mask_rcnn_eca_r50_fpn_1x.py'
# mmengine's launcher would ask for GPUs; it leaves a process group alone that exists.
MMDETS_ON_GLOO = """
import runpy, sys, torch
torch.distributed.init_process_group('gloo')
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def make_set(photographs, folder, images):
    photographs = sorted(Path(photographs).glob('*.jpg'))
    (folder / 'annotations').mkdir(parents=True)
    for split, number in (('train2017', images), ('val2017', min(images, 5_000))):
        objects = number * big_coco.OBJECTS // big_coco.IMAGES
        annotations = folder / 'annotations' / f'instances_{split}.json'
        big_coco.write(annotations, number, objects)
        (folder / split).mkdir()
        files = folder / 'photographs' / split
        files.mkdir(parents=True)
        for i, photograph in enumerate(photographs):
            (files / f'{i}.jpg').write_bytes(photograph.read_bytes())
        for i in range(number):
            os.link(
                files / f'{i % len(photographs)}.jpg', folder / split / f'{i:012d}.jpg'
            )


SETTINGS = """
_base_ = {base!r}
_data = {data!r}
_loader = dict(dataset=dict(data_root=_data))
_evaluator = dict(ann_file=_data + 'annotations/instances_val2017.json')
model = dict(backbone=dict(init_cfg=None))
train_dataloader = dict(batch_size=1, **_loader)
val_dataloader = test_dataloader = _loader
val_evaluator = test_evaluator = _evaluator
train_cfg = dict(
    _delete_=True,
    type='IterBasedTrainLoop',
    max_iters={iterations},
    val_begin={iterations} + 1,
)
param_scheduler = None
default_hooks = dict(logger=dict(interval=1))
# What our train.py sets on the CPU.
model_wrapper_cfg = dict(
    type='MMDistributedDataParallel', broadcast_buffers=False, device_ids=None
)
"""


def command(tool, config, processes):
    if tool == 'mmdet_eca':
        return ['tools/dist_train.sh', config, str(processes)]
    script = config.with_name('on_gloo.py')
    script.write_text(MMDETS_ON_GLOO)
    train = Path(mmdet.__file__).parent / '.mim' / 'tools' / 'train.py'
    return [
        *(sys.executable, '-m', 'torch.distributed.run', '--master-port=29561'),
        *(f'--nproc-per-node={processes}', script, train),
        *(config, '--launcher=pytorch'),
    ]


def memory(pid):
    """GiB of a process and all below it, shared pages once."""
    total, waiting = 0, [pid]
    while waiting:
        process = Path('/proc', str(waiting.pop()))
        try:
            waiting += (
                (process / 'task' / process.name / 'children').read_text().split()
            )
            smaps = (process / 'smaps_rollup').read_text()
        except OSError:  # it has ended
            continue
        total += int(re.search(r'^Pss:\s+(\d+)', smaps, re.M)[1])
    return total / 2**20


def measure(tool, data, work_dir, processes, iterations):
    """Returns the seconds until the first iteration starts, and the peak of memory."""
    work_dir.mkdir(parents=True)
    config, log = work_dir / 'config.py', work_dir / 'output.log'
    config.write_text(
        SETTINGS.format(base=f'{ROOT}/{CONFIG}', data=f'{data}/', iterations=iterations)
    )
    start, before, peak = time.time(), None, 0
    with open(log, 'w') as file:
        process = subprocess.Popen(
            [*command(tool, config, processes), '--work-dir', work_dir],
            cwd=ROOT,
            env={
                **os.environ,
                'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
                'PYTHONPATH': ROOT,
                'OMP_NUM_THREADS': '1',
                'CUDA_VISIBLE_DEVICES': '-1',
            },
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            if before is None:
                step = re.search(
                    r'\(train\).* time: ([\d.]+) +data_time: ([\d.]+)', log.read_text()
                )
                if step:
                    before = time.time() - start - float(step[1]) + float(step[2])
            time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f'{tool} ended with {process.returncode}: see {log}')
    return before, peak


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('photographs')
    parser.add_argument('folder', type=Path)
    for name, default in (
        ('processes', 4),
        ('images', big_coco.IMAGES),
        ('iterations', 4),
        ('rounds', 2),
    ):
        parser.add_argument(f'--{name}', type=int, default=default)
    args = parser.parse_args()
    data = args.folder.absolute() / f'coco_{args.images}'
    if not data.exists():
        make_set(args.photographs, data, args.images)
    figures = {'mmdet': [], 'mmdet_eca': []}
    for i in range(args.rounds):
        for tool, measured in figures.items():
            work_dir = data.parent / f'{time.strftime("%H%M%S")}_{tool}_{i}'
            measured.append(
                measure(tool, data, work_dir, args.processes, args.iterations)
            )
            seconds, peak = measured[-1]
            print(
                f'{tool}: first iteration after {seconds:.0f} s, '
                f'{peak:.1f} GiB at the peak',
                flush=True,
            )
    (seconds, peak), (theirs_seconds, theirs_peak) = (
        [median(column) for column in zip(*figures[tool])]
        for tool in ('mmdet_eca', 'mmdet')
    )
    print(
        f'ours / theirs: {seconds / theirs_seconds:.2f} of the time until the first '
        f'iteration, {peak / theirs_peak:.2f} of the memory'
    )


if __name__ == '__main__':
    main()
