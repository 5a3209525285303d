"""Two processes evaluate seven images to what one process does.

The objects are made of what the detector finds, moved a little, so that no figure is
one that any detections would give.
"""

import json
import pickle

import cv2
import numpy as np
import pytest
import torch

from mmdet_eca.digits import DIGITS_CLASSES
from tests.conftest import run
from tests.same_answer.test_reference import CONFIG, answer, build
from tests.tools.test_train import coco_metrics, free_port, options

HEIGHT, WIDTH = 160, 240  # which the config does not resize


def detections(path):
    """Of each image: its id, boxes, scores, labels and masks."""
    with open(path, 'rb') as file:
        for image in pickle.load(file):
            found = image['pred_instances']
            yield image['img_id'], found


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Seven images with objects, and the detector's checkpoint."""
    folder = tmp_path_factory.mktemp('evaluation')
    (folder / 'val').mkdir()
    (folder / 'annotations').mkdir()
    model, random = build(), np.random.RandomState(0)
    images, annotations = [], []
    for number in range(1, 8):
        squares = random.randint(0, 256, (HEIGHT // 16, WIDTH // 16, 3))
        pixels = np.kron(squares, np.ones((16, 16, 1))).astype(np.uint8)
        name = f'{number}.png'
        cv2.imwrite(str(folder / 'val' / name), pixels)
        images.append(dict(id=number, file_name=name, height=HEIGHT, width=WIDTH))
        found = answer(model, torch.tensor(pixels).permute(2, 0, 1))
        for box, label in list(zip(found['boxes'], found['labels']))[:: number % 3 + 1]:
            left, top, right, bottom = (
                round(value + random.uniform(-2, 2), 1) for value in box
            )
            left, top = min(left, WIDTH - 5), min(top, HEIGHT - 5)
            right, bottom = max(right, left + 4), max(bottom, top + 4)
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=label + 1,
                    bbox=[left, top, right - left, bottom - top],
                    area=(right - left) * (bottom - top),
                    iscrowd=0,
                    segmentation=[[left, top, right, top, right, bottom, left, bottom]],
                )
            )
    categories = [
        dict(id=i, name=name) for i, name in enumerate(DIGITS_CLASSES, start=1)
    ]
    path = folder / 'annotations' / 'instances_val.json'
    path.write_text(
        json.dumps(dict(images=images, annotations=annotations, categories=categories))
    )
    meta = dict(dataset_meta=dict(CLASSES=DIGITS_CLASSES))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), folder / 'weights.pth')
    return folder


def evaluate(data, folder, processes):
    """All figures that are printed, and what --out has written."""
    settings = {
        f'{name}_evaluator.ann_file': data / 'annotations' / 'instances_val.json'
        for name in ('val', 'test')
    }
    words = [f'configs/{CONFIG}', data / 'weights.pth']
    words += ['--work-dir', folder, '--out', folder / 'found.pkl']
    words += options(data, **settings, **{'test_dataloader.batch_size': 1})
    words[2:2] = [processes]
    done = run('tools/dist_test.sh', *words, PORT=str(free_port()))
    return coco_metrics(done.stdout), list(detections(folder / 'found.pkl'))


@pytest.mark.slow
def test_two_processes_give_the_figures_of_one(data, tmp_path):
    figures, found = evaluate(data, tmp_path / 'one', 1)
    assert [number for number, _ in found] == list(range(1, 8))
    assert len(figures) == 12  # mmdet's six, of boxes and of masks
    assert 0.1 < figures['coco/bbox_mAP'] < 0.9
    other_figures, others = evaluate(data, tmp_path / 'two', 2)
    assert other_figures == figures and len(others) == 7
    for (number, one), (other_number, other) in zip(found, others):
        assert number == other_number
        for key in ('bboxes', 'scores', 'labels'):
            assert torch.equal(one[key], other[key]), (number, key)
        assert one['masks'] == other['masks']
