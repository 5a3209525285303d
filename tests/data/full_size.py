"""Starts the paper's Mask R-CNN on a set of COCO's size, with mmdet's train.py and with
this package's, and compares their memory and the seconds until the first iteration:

python -m tests.data.full_size PHOTOGRAPHS FOLDER [ITERATIONS ROUNDS]

PHOTOGRAPHS is a folder of JPEGs of 640x480, which stand for all images; FOLDER gets the
set (600 MB) and the runs' logs. Four processes on gloo, one image each.
"""

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


def make_set(photographs, folder):
    photographs = sorted(Path(photographs).glob('*.jpg'))
    (folder / 'annotations').mkdir(parents=True)
    for split, images, objects in (
        ('train2017', big_coco.IMAGES, big_coco.OBJECTS),
        ('val2017', 5_000, 36_335),
    ):
        annotations = folder / 'annotations' / f'instances_{split}.json'
        big_coco.write(annotations, images, objects)
        (folder / split).mkdir()
        files = folder / 'photographs' / split
        files.mkdir(parents=True)
        for i, photograph in enumerate(photographs):
            (files / f'{i}.jpg').write_bytes(photograph.read_bytes())
        for i in range(images):
            os.link(
                files / f'{i % len(photographs)}.jpg', folder / split / f'{i:012d}.jpg'
            )


def command(tool, data, work_dir, iterations):
    options = dict(
        train_cfg=f"{{'type':'IterBasedTrainLoop','max_iters':{iterations},"
        f"'val_interval':{iterations + 1}}}",
        **{
            'param_scheduler': 'None',
            'default_hooks.logger.interval': 1,
            'model.backbone.init_cfg': 'None',
            'train_dataloader.batch_size': 1,
            'train_dataloader.dataset.data_root': f'{data}/',
            'val_dataloader.dataset.data_root': f'{data}/',
            'test_dataloader.dataset.data_root': f'{data}/',
            'val_evaluator.ann_file': f'{data}/annotations/instances_val2017.json',
            'test_evaluator.ann_file': f'{data}/annotations/instances_val2017.json',
        },
    )
    if tool == 'mmdet':
        script = work_dir.parent / 'on_gloo.py'
        script.write_text(MMDETS_ON_GLOO)
        mmdets = Path(mmdet.__file__).parent / '.mim' / 'tools' / 'train.py'
        options['model_wrapper_cfg'] = (
            "{'type':'MMDistributedDataParallel','broadcast_buffers':False}"
        )
        start = (
            *(sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node=4'),
            *('--master-port=29561', script, mmdets, CONFIG, '--launcher=pytorch'),
        )
    else:
        start = ('tools/dist_train.sh', CONFIG, '4')
    words = [f'{key}={value}' for key, value in options.items()]
    return [*map(str, start), f'--work-dir={work_dir}', '--cfg-options', *words]


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


def measure(tool, data, work_dir, iterations):
    """Returns the seconds until the first iteration starts, and the peak of the memory
    until then and in the whole run."""
    work_dir.parent.mkdir(parents=True, exist_ok=True)
    log = work_dir.with_suffix('.log')
    start, before, peak = time.time(), None, 0
    with open(log, 'w') as file:
        process = subprocess.Popen(
            command(tool, data, work_dir, iterations),
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
                    r'Iter\(train\).* time: ([\d.]+) +data_time: ([\d.]+)',
                    log.read_text(),
                )
                if step:
                    seconds = time.time() - start - float(step[1]) + float(step[2])
                    before = seconds
            time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f'{tool} ended with {process.returncode}: see {log}')
    return before, peak


def main(photographs, folder, iterations=5, rounds=2):
    folder = Path(folder).absolute()
    if not (folder / 'coco').exists():
        make_set(photographs, folder / 'coco')
    figures = {'mmdet': [], 'mmdet_eca': []}
    for i in range(int(rounds)):
        for tool, measured in figures.items():
            work_dir = folder / 'runs' / f'{tool}_{i}_{int(time.time())}'
            measured.append(measure(tool, folder / 'coco', work_dir, int(iterations)))
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
    main(*sys.argv[1:])
