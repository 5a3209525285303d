"""The picture of a data set shows the numbers of the annotation file."""

import json
from collections import Counter

import cv2
import numpy as np
import pytest

from mmdet_eca.data import draw_data, read_coco_file
from mmdet_eca.data import picture as pictures
from mmdet_eca.visualization.figures import figure

CLASSES = 40


@pytest.fixture(scope='module')
def content():
    """Images of two sizes with objects of 40 classes, many of the first."""
    rng = np.random.default_rng(0)
    sizes = [(600, 400), (600, 400), (300, 500)]
    annotations = [
        dict(
            id=i + 1,
            image_id=i % 3,
            category_id=int(rng.integers(CLASSES) * rng.random()),
            bbox=[*rng.uniform(0, 200, 2), *rng.uniform(2, 100, 2)],
            area=50,
            iscrowd=0,
        )
        for i in range(500)
    ]
    return dict(
        images=[
            dict(id=i, file_name=f'{i}.jpg', width=width, height=height)
            for i, (width, height) in enumerate(sizes)
        ],
        annotations=annotations,
        categories=[dict(id=i, name=f'class {i}') for i in range(CLASSES)],
    )


def read(content, folder):
    path = folder / 'data.json'
    path.write_text(json.dumps(content))
    return read_coco_file(str(path))


def test_every_object_is_in_the_picture(content, tmp_path):
    data = read(content, tmp_path)
    sizes = data.object_sizes()
    with figure(str(tmp_path / 'x.png'), panels=4, size=(8, 8), columns=2) as panels:
        pictures._draw_object_sizes(panels[0], data, 2 * sizes, [32, 64], (1333, 800))
        pictures._draw_classes(panels[1], data)
        pictures._draw_positions(panels[2], data)
        pictures._draw_image_sizes(panels[3], data)
        assert sum(bar.get_height() for bar in panels[0].patches[:-1]) == 500
        assert panels[2].images[0].get_array().sum() == 500
        ((x, y),) = [a.xy for a in panels[3].texts]
        assert (x, y) == (600, 400) and '2 images' in panels[3].texts[0].get_text()
    counts = Counter(entry['category_id'] for entry in content['annotations'])
    most = [count for _, count in counts.most_common(30)]
    bars = [bar.get_width() for bar in panels[1].patches]
    assert bars[:30] == most and bars[30] == pytest.approx((500 - sum(most)) / 10)
    names = [label.get_text() for label in panels[1].get_yticklabels()]
    assert names[0] == f'class {counts.most_common(1)[0][0]}'
    assert names[30] == 'mean of 10 others'


def test_the_map_is_as_the_image(content, tmp_path):
    """An object below on the left is dark below on the left."""
    entry = dict(content['annotations'][0], image_id=0, bbox=[0, 390, 10, 10])
    data = read(dict(content, annotations=[entry]), tmp_path)
    with figure(str(tmp_path / 'x.png'), panels=1, size=(4, 4)) as (panel,):
        pictures._draw_positions(panel, data)
        image = panel.images[0]
        assert np.argwhere(np.asarray(image.get_array())).tolist() == [[39, 0]]
        assert image.get_extent() == [0, 1, 1, 0] and image.origin == 'upper'


def test_a_picture_of_data_without_objects_of_use(content, tmp_path):
    entry = dict(content['annotations'][0], area=0)
    data = read(dict(content, annotations=[entry]), tmp_path)
    draw_data(data, data.object_sizes(), (), (1333, 800), str(tmp_path / 'x.png'))
    assert cv2.imread(str(tmp_path / 'x.png')).std() > 10


@pytest.mark.parametrize(
    'name', ['$x', '$\\no$', '猫', '\ud800', 'a\nb', 'x' * 200, '']
)
def test_names_of_all_kinds(name, content, tmp_path):
    categories = [dict(content['categories'][0], name=name), *content['categories'][1:]]
    data = read(dict(content, categories=categories), tmp_path)
    draw_data(data, data.object_sizes(), (), (1333, 800), str(tmp_path / 'x.png'))
    assert cv2.imread(str(tmp_path / 'x.png')).std() > 10
