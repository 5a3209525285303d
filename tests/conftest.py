import functools
import json
import os
import os.path as osp
import subprocess
import sys
from collections import OrderedDict
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
import torch
from mmdet.visualization import DetLocalVisualizer
from mmengine import config
from mmengine.config import utils as config_utils
from mmengine.logging import MessageHub, MMLogger
from mmengine.visualization import Visualizer

from mmdet_eca.digits import make_digits

ROOT = osp.dirname(osp.dirname(osp.abspath(__file__)))
# Several processes on few cores: one thread each.
ONE_THREAD = dict(OMP_NUM_THREADS='1', MKL_NUM_THREADS='1')

# Where tests that take `device` run, and what autocast casts to there.
DEVICES = ['cpu']
AMP = [('cpu', torch.bfloat16), ('cpu', torch.float16)]
if torch.cuda.is_available():
    DEVICES.append(pytest.param('cuda', marks=pytest.mark.gpu))
    AMP += [
        pytest.param('cuda', dtype, marks=pytest.mark.gpu)
        for dtype in (torch.bfloat16, torch.float16)
    ]
every_amp = pytest.mark.parametrize(('device', 'dtype'), AMP, indirect=['device'])

# COCO's 80 categories have these ids; the numbers in between are unused.
UNUSED_COCO_IDS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
COCO_IDS = [i for i in range(1, 91) if i not in UNUSED_COCO_IDS]


def pytest_report_header():
    gpus = torch.cuda.device_count()
    if not gpus:
        return 'devices: the CPU; torch sees no GPU, so that nothing is tested on one'
    return f'devices: the CPU and {gpus} x {torch.cuda.get_device_name()}' + (
        '' if gpus > 1 else '; NCCL is tested on two'
    )


# Folders and files that take more than half a minute a file.
LONGEST = {'tools', 'test_install', 'test_every_backbone'}


def pytest_collection_modifyitems(items):
    """The longest first, so that several workers end together."""
    items.sort(key=lambda item: not {item.path.parent.name, item.path.stem} & LONGEST)


def run(*command, check=True, **variables):
    """Runs a command in the repository, without GPUs unless CUDA_VISIBLE_DEVICES
    says which; returns the finished process."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={
            **os.environ,
            **ONE_THREAD,
            'CUDA_VISIBLE_DEVICES': '-1',
            'PATH': osp.dirname(sys.executable) + os.pathsep + os.environ['PATH'],
            **variables,
        },
        text=True,
        capture_output=True,
        timeout=300,
        check=False,  # by a message with both outputs instead
    )
    if check and done.returncode:
        raise AssertionError(
            f'{command} ended with {done.returncode}:\n'
            f'{done.stdout[-3000:]}\n{done.stderr[-3000:]}'
        )
    return done


@pytest.fixture(scope='session')
def digits(tmp_path_factory):
    """A small Digits-COCO."""
    folder = str(tmp_path_factory.mktemp('data') / 'digits')
    make_digits(folder, num_train=8, num_val=4)
    return folder


@pytest.fixture(scope='session')
def coco(tmp_path_factory):
    """A folder as COCO 2017's, four small images in each split.

    All images have the same boxes and differ in their pixels, so that losses
    which are averaged over positives average over the same number in each.
    """
    root = tmp_path_factory.mktemp('coco')
    write_coco(root)
    return str(root)


def write_coco(root):
    """Writes the data of the fixture ``coco`` into a folder."""
    from mmdet.datasets import CocoDataset

    (root / 'annotations').mkdir(parents=True)
    rng = np.random.default_rng(0)
    categories = [
        dict(id=coco_id, name=name)
        for coco_id, name in zip(COCO_IDS, CocoDataset.METAINFO['classes'])
    ]
    for split in ('train2017', 'val2017'):
        (root / split).mkdir()
        images, annotations = [], []
        for image_id in range(1, 5):
            pixels = cv2.resize(
                rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (128, 96)
            )
            name = f'{image_id:012d}.jpg'
            cv2.imwrite(str(root / split / name), pixels)
            images.append(dict(id=image_id, file_name=name, height=96, width=128))
            for category, (x, y, w, h) in (
                (1, (10, 8, 40, 60)),
                (90, (60, 20, 50, 64)),
            ):
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=image_id,
                        category_id=category,
                        bbox=[x, y, w, h],
                        area=w * h,
                        iscrowd=0,
                        segmentation=[[x, y, x + w, y, x + w, y + h, x, y + h]],
                    )
                )
        (root / 'annotations' / f'instances_{split}.json').write_text(
            json.dumps(
                dict(images=images, annotations=annotations, categories=categories)
            )
        )


@pytest.fixture(params=DEVICES)
def device(request):
    """The test runs on the CPU and on the GPU that there may be: what it makes is
    made there, by the same arithmetic. TF32 has 10 bits and sums of halves in
    halves have fewer, which is more than the errors that tests look for.
    """
    torch.backends.cudnn.allow_tf32 = False
    matmul = torch.backends.cuda.matmul
    matmul.allow_tf32 = False
    matmul.allow_fp16_reduced_precision_reduction = False
    matmul.allow_bf16_reduced_precision_reduction = False
    with torch.device(request.param) as made:
        yield made


@pytest.fixture(autouse=True, scope='session')
def _configs_take_no_seconds():
    """mmengine reads mmdet's whole index for every config, and has yapf lay out each
    config that it writes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config_utils, 'load', functools.cache(config_utils.load))
        if hasattr(config.config, 'FormatCode'):  # the fork has none there
            patch.setattr(
                config.config, 'FormatCode', lambda text, **style: (text, True)
            )
        yield


@contextmanager
def new_run():
    """Gives a run its own visualizers, loggers and message hubs.

    mmengine keeps one of each name in a process, and names them after the config and
    the second: an earlier run's would write into the earlier run's folder.
    """
    with pytest.MonkeyPatch.context() as patch:
        for kind in (Visualizer, DetLocalVisualizer, MMLogger, MessageHub):
            patch.setattr(kind, '_instance_dict', OrderedDict())
        yield


@pytest.fixture(autouse=True)
def _new_run():
    torch.manual_seed(0)
    with new_run():
        yield


def write_images(root, classes, images_per_class, size=(48, 40), seed=0):
    """Writes JPEGs (width, height) in one folder a class, each class of another
    hue."""
    rng = np.random.default_rng(seed)
    for label, name in enumerate(classes):
        folder = root / name
        folder.mkdir(parents=True)
        hue = 180 * label // len(classes)
        for i in range(images_per_class):
            pixels = np.empty((5, 6, 3), np.uint8)
            pixels[..., 0] = hue + rng.integers(0, 180 // len(classes), (5, 6)) // 2
            pixels[..., 1:] = rng.integers(120, 256, (5, 6, 2))
            pixels = cv2.cvtColor(pixels, cv2.COLOR_HSV2BGR)
            cv2.imwrite(str(folder / f'{i}.jpg'), cv2.resize(pixels, size))
