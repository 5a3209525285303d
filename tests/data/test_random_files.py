"""Data sets by chance: nothing is found in one that is right, and one mistake is."""

import json
import math
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.datasets.transforms import LoadAnnotations
from mmdet.registry import DATASETS
from mmengine.registry import DefaultScope
from pycocotools import mask as pycocotools_mask

from mmdet_eca import UserError
from mmdet_eca.data import read_coco_file
from mmdet_eca.data.evaluation import find_problem
from mmdet_eca.data.objects import check_objects


@st.composite
def contents(draw):
    """A COCO file in which nothing is wrong; ids may be any numbers or texts."""
    numbers = st.integers(1, 10**12)
    texts = st.text(st.characters(codec='utf-8', exclude_characters='\0'), max_size=5)
    names = st.lists(
        st.text('abcé猫_', min_size=1), min_size=1, max_size=4, unique=True
    )
    names = draw(names)
    count = len(names)
    category_ids = draw(
        st.lists(
            draw(st.sampled_from([numbers, texts])),
            min_size=count,
            max_size=count,
            unique=True,
        )
    )
    image_ids = draw(
        st.lists(
            draw(st.sampled_from([numbers, texts])), min_size=1, max_size=4, unique=True
        )
    )
    object_ids = draw(st.lists(numbers, min_size=count, max_size=8, unique=True))
    images = [
        dict(id=one, file_name=f'{i}.jpg', width=draw(st.integers(8, 500)), height=99)
        for i, one in enumerate(image_ids)
    ]
    annotations = []
    for i, one in enumerate(object_ids):
        image = draw(st.sampled_from(images))
        category = category_ids[i % count]
        entry = dict(id=one, category_id=category)
        annotations.append(draw(objects(image, entry, may_be_crowd=i >= count)))
    categories = [dict(id=one, name=name) for one, name in zip(category_ids, names)]
    lists = dict(images=images, annotations=annotations, categories=categories)
    return dict(draw(st.permutations(list(lists.items()))))


@st.composite
def objects(draw, image, entry, may_be_crowd):
    width = draw(st.integers(2, image['width']))
    height = draw(st.integers(2, image['height']))
    x = draw(st.floats(0, image['width'] - width))
    y = draw(st.floats(0, image['height'] - height))
    kind = draw(st.sampled_from(['box', 'polygon', 'counts', 'text']))
    area, segmentation = width * height, None
    if kind == 'polygon':
        segmentation = [[x, y, x + width, y, x + width, y + height, x, y + height]]
    elif kind != 'box':
        pixels = image['height'] * image['width']
        start = draw(st.integers(0, pixels - area))
        counts, size = [start, area, pixels - area - start], [99, image['width']]
        segmentation = dict(counts=counts, size=size)
        if kind == 'text':
            segmentation = pycocotools_mask.frPyObjects(segmentation, *size)
            segmentation['counts'] = segmentation['counts'].decode()
    crowd = may_be_crowd and kind != 'polygon' and draw(st.booleans())
    entry = dict(entry, image_id=image['id'], bbox=[x, y, width, height], area=area)
    entry['iscrowd'] = int(crowd)
    return entry if segmentation is None else dict(entry, segmentation=segmentation)


def checked(content):
    """The findings, and what MMDetection makes of a file without errors: its loading
    of each object and its metric, with the file's own objects as detections."""
    with tempfile.NamedTemporaryFile('w', suffix='.json', encoding='utf-8') as file:
        json.dump(content, file)
        file.flush()
        data = read_coco_file(file.name)
        findings = check_objects(data)
        if findings.of_severity('error'):
            return findings
        masks = data.has_masks
        dataset = dict(
            type='CocoDataset',
            ann_file=file.name,
            data_prefix=dict(img=''),
            metainfo=dict(classes=data.classes),
            filter_cfg=dict(filter_empty_gt=True, min_size=1),
        )
        with DefaultScope.overwrite_default_scope('mmdet'):
            training = DATASETS.build(dict(dataset, pipeline=[]))
            infos = [training.get_data_info(i) for i in range(len(training))]
            for info in infos:
                info['ori_shape'] = info['height'], info['width']
                LoadAnnotations(with_mask=masks)(info)
            # With text for ids of objects CocoMetric fails, which is a warning.
            if 'text-object-id' not in findings:
                metrics = ['bbox', 'segm'] if masks else ['bbox']
                metric = dict(type='CocoMetric', ann_file=file.name, metric=metrics)
                dataset['test_mode'] = True
                assert find_problem(data, dataset, metric, 100) == ''
    assert sum((~info['gt_ignore_flags']).sum() for info in infos) == data.is_used.sum()
    return findings


@settings(max_examples=10, deadline=None)
@given(contents())
def test_nothing_is_found_in_what_is_right(content):
    assert checked(content).keys() <= {'image-without-objects'}


MISTAKES = {
    'broken-entry': lambda entry: entry.update(bbox=[1, math.nan, 3, 4]),
    'unlisted-image': lambda entry: entry.update(image_id=-1),
    'unknown-category': lambda entry: entry.update(category_id=-1),
    'unknown-mask': lambda entry: entry.update(segmentation='x'),
    'short-polygon': lambda entry: entry.update(iscrowd=0, segmentation=[[1, 2, 3, 4]]),
    'rle-does-not-fit': lambda entry: entry.update(
        segmentation=dict(counts=[5], size=[1, 5])
    ),
    'empty-box': lambda entry: entry['bbox'].__setitem__(2, 0),
    'box-outside': lambda entry: entry['bbox'].__setitem__(0, 600),
    'box-sticks-out': lambda entry: entry['bbox'].__setitem__(3, 120),
    'no-iscrowd': lambda entry: entry.pop('iscrowd'),
}


@settings(max_examples=20, deadline=None)
@given(contents(), st.sampled_from(sorted(MISTAKES)))
def test_one_mistake_is_found(content, kind):
    """Beside the objects that are right: what is left out may leave a class empty."""
    entries = content['annotations']
    first = dict(entries[0], id=0.5, bbox=list(entries[0]['bbox']))
    MISTAKES[kind](first)
    entries.append(first)
    findings = checked(content)
    notes = {'image-without-objects', 'area-differs'}
    assert findings.keys() - notes == {kind}
    assert len(findings[kind].ids) == 1
    if kind != 'broken-entry':
        assert findings[kind].ids == [0.5]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = [
    'id',
    'image_id',
    'category_id',
    'bbox',
    'area',
    'iscrowd',
    'segmentation',
    'ignore',
    'file_name',
    'width',
    'height',
    'name',
    'counts',
    'size',
]


@settings(max_examples=30, deadline=None)
@given(contents(), st.data())
def test_whatever_stands_in_a_file_is_reported(content, data):
    """Any value in any place: no other end than a report, or a line."""
    for _ in range(data.draw(st.integers(1, 4))):
        entries = content[data.draw(st.sampled_from(sorted(content)))]
        place = data.draw(st.integers(0, len(entries) - 1))
        if isinstance(entries[place], dict) and data.draw(st.booleans()):
            entry = entries[place]
            if isinstance(entry.get('segmentation'), dict) and data.draw(st.booleans()):
                entry = entry['segmentation']
            key = data.draw(st.sampled_from(KEYS))
            values = ANYTHING | st.lists(st.floats() | st.integers(), max_size=8)
            entry[key] = data.draw(values | st.lists(values, max_size=2))
        else:
            entries[place] = data.draw(ANYTHING)
    try:
        findings = checked(content)
    except UserError as error:
        lines = [str(error)]
    else:
        lines = [str(found) for found in findings.values()]
        json.dumps([found.ids for found in findings.values()])
    assert all(line.isprintable() for line in lines)
