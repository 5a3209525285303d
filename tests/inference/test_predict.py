"""Images and videos: what is found, written and drawn, and what is said of the rest."""

import json

import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_util
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmdet_eca import UserError
from mmdet_eca.inference import predict
from mmdet_eca.inference.inferencer import Inferencer
from tests.inference.blobs import draw, write_detector
from tests.tools.in_process import call, mistake

# Of several sizes, so that a batch of them is padded.
IMAGES = {
    'a.png': ((90, 60), ('red', 10, 20, 30, 25), ('green', 60, 5, 20, 40)),
    'b.png': ((60, 100), ('green', 5, 50, 50, 20)),
    'c.png': ((64, 64),),
}


@pytest.fixture
def folder(tmp_path):
    """A folder of images."""
    (tmp_path / 'images').mkdir()
    for name, (size, *rectangles) in IMAGES.items():
        cv2.imwrite(str(tmp_path / 'images' / name), draw(size, *rectangles))
    return tmp_path


def read(path):
    return json.loads(path.read_text())


def boxes_by_name(out):
    """(category, box, score) of each image, by the names in the results."""
    content = read(out / 'images.json')
    categories = {c['id']: c['name'] for c in content['categories']}
    found = {image['id']: [] for image in content['images']}
    for d in read(out / 'predictions.json'):
        found[d['image_id']].append(
            (categories[d['category_id']], d['bbox'], round(d['score'], 3))
        )
    return {i['file_name']: found[i['id']] for i in content['images']}


def expected():
    scores = dict(red=0.9, green=0.2)
    return {
        name: [(colour, box, scores[colour]) for colour, *box in rectangles]
        for name, (_, *rectangles) in IMAGES.items()
    }


@pytest.mark.parametrize('options', [[], ['--batch-size', 2], ['--no-vis']])
def test_a_folder(folder, options, capsys):
    out = folder / 'out'
    call('predict', *write_detector(folder), folder / 'images', '--out', out, *options)
    assert boxes_by_name(out) == expected()
    content = read(out / 'images.json')
    assert [i['id'] for i in content['images']] == [1, 2, 3]
    assert [c['id'] for c in content['categories']] == [1, 2]
    sizes = [(image['width'], image['height']) for image in content['images']]
    assert sizes == [size for size, *_ in IMAGES.values()]
    said = capsys.readouterr().out
    assert '1 object with a score of at least 0.3 in 3 images; 3 ' in said
    assert 'ids are 1 to 2' in said
    drawn = {path.name for path in (out / 'vis').glob('*')}
    assert drawn == (set() if '--no-vis' in options else set(IMAGES))


def test_masks_are_those_of_the_image(folder):
    out = folder / 'out'
    predict(*write_detector(folder), str(folder / 'images' / 'a.png'), str(out))
    for found in read(out / 'predictions.json'):
        x, y, w, h = map(int, found['bbox'])
        mask = np.zeros((60, 90), np.uint8)
        mask[y : y + h, x : x + w] = 1
        assert np.array_equal(mask_util.decode(found['segmentation']), mask)


def test_images_of_the_test_set_have_its_ids_and_pycocotools_evaluates_them(folder):
    ids = {'b.png': 41, 'a.png': 7}
    truth = dict(
        images=[
            dict(id=i, file_name=name, width=w, height=h)
            for name, i in ids.items()
            for w, h in [IMAGES[name][0]]
        ],
        # another order than the config's
        categories=[dict(id=9, name='green'), dict(id=3, name='red')],
        annotations=[],
    )
    (folder / 'truth.json').write_text(json.dumps(truth))
    detector = write_detector(
        folder, ann_file=str(folder / 'truth.json'), images=str(folder / 'images')
    )
    out = folder / 'out'
    said = predict(*detector, str(folder / 'images'), str(out))
    assert f'{folder}/truth.json' in said
    content = read(out / 'images.json')
    by_name = {image['file_name']: image['id'] for image in content['images']}
    # c.png is not in the set: its id is a new one
    assert by_name == {**ids, 'c.png': 44}
    # Labels 0 and 1 are the file's first and second class, as in mmdet's metric.
    assert {d['category_id'] for d in read(out / 'predictions.json')} == {3, 9}
    for d in read(out / 'predictions.json'):
        *_, w, h = d['bbox']
        truth['annotations'].append(
            dict(d, id=len(truth['annotations']) + 1, area=w * h, iscrowd=0)
        )
    (folder / 'truth.json').write_text(json.dumps(truth))
    truth_api = COCO(str(folder / 'truth.json'))
    evaluation = COCOeval(
        truth_api, truth_api.loadRes(str(out / 'predictions.json')), 'segm'
    )
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == 1
    COCO(str(out / 'images.json')).loadRes(str(out / 'predictions.json'))


def test_settings_of_the_config_are_options(folder):
    config, checkpoint = write_detector(folder)
    words = [config, checkpoint, folder / 'images', '--out', folder / 'out']
    line = mistake('predict', *words, '--cfg-options', 'test_pipline=1')
    assert "'test_pipline'" in line and not (folder / 'out').exists()
    line = mistake('predict', *words, '--cfg-options', 'model.type=Nothing')
    assert 'Nothing' in line and not (folder / 'out').exists()


def test_labels_can_be_left_out(folder):
    images = {}
    for option in ('--score', '--no-labels'):
        out = folder / option
        words = ['--no-labels', '--score', '0'] if 'no' in option else ['--score', '0']
        call(
            'predict', *write_detector(folder), folder / 'images', '--out', out, *words
        )
        images[option] = cv2.imread(str(out / 'vis' / 'a.png'))
    labelled, plain = images.values()
    assert labelled.shape == plain.shape
    changed = (labelled != plain).any(2)
    assert 0 < changed.mean() < 0.5 and (plain != 255).any()


def test_ctrl_c_keeps_what_is_done(folder, monkeypatch):
    detect, seen = Inferencer.detect, []

    def interrupted(self, batch):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(batch)
        return detect(self, batch)

    monkeypatch.setattr(Inferencer, 'detect', interrupted)
    out = folder / 'out'
    line = mistake('predict', *write_detector(folder), folder / 'images', '--out', out)
    assert 'interrupted' in line and str(out) in line
    done = boxes_by_name(out)
    assert done == {name: expected()[name] for name in ('a.png', 'b.png')}


def test_unreadable_files_are_named_and_the_others_done(folder):
    (folder / 'images' / 'broken.jpg').write_text('no image')
    (folder / 'images' / 'empty.png').write_bytes(b'')
    huge = bytearray(cv2.imencode('.jpg', draw((8, 8)))[1].tobytes())
    place = huge.index(b'\xff\xc0') + 5  # of height and width
    huge[place : place + 4] = b'\x7f\xff\x40\x00'
    (folder / 'images' / 'huge.jpg').write_bytes(huge)
    out = folder / 'out'
    line = mistake('predict', *write_detector(folder), folder / 'images', '--out', out)
    assert '3 of 6 files' in line
    assert 'images/broken.jpg (' in line and 'images/empty.png (' in line
    assert 'images/huge.jpg (its header' in line
    assert line.endswith(f'3 images are in {out}')
    assert boxes_by_name(out) == expected()


def test_names_do_not_meet(folder):
    (folder / 'images' / 'more').mkdir()
    cv2.imwrite(str(folder / 'images' / 'more' / 'a.png'), draw((64, 64)))
    cv2.imwrite(str(folder / 'images' / 'a.bmp'), draw((64, 64)))
    out = folder / 'out'
    predict(*write_detector(folder), str(folder / 'images' / '**'), str(out))
    drawn = {str(path.relative_to(out / 'vis')) for path in out.glob('vis/**/*.*')}
    assert drawn == {*IMAGES, 'more/a.png', 'a.bmp.jpg'}


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['nothing.jpg'], 'nothing.jpg'),
        (['nothing.mp4'], 'nothing.mp4'),
        (['{images}', '--out', '/proc/out'], '/proc/out cannot be written'),
        (['{images}', '--score', '1.5'], 'got 1.5'),
        (['{images}', '--batch-size', '0'], 'batch_size must be at least 1'),
        (['{images}', '--slices', '31'], '32 pixels, got 31'),
        (['{images}', '--device', 'gpu7'], "'gpu7'"),
        (['{images}', '--out', '{images}'], 'images exists'),
        (['{images}', '{video}'], 'clip.avi is no image, and a video'),
        (['{video}'], 'clip.avi has no frames'),
        (['{empty}'], 'empty'),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(folder, words, message):
    (folder / 'empty').mkdir()
    (folder / 'clip.avi').write_text('no video')
    places = dict(
        images=folder / 'images', video=folder / 'clip.avi', empty=folder / 'empty'
    )
    words = [word.format(**places) for word in words]
    if '--out' not in words:
        words += ['--out', folder / 'out']
    assert message in mistake('predict', *write_detector(folder), *words)
    assert not (folder / 'out').exists()
    assert sorted(path.name for path in (folder / 'images').iterdir()) == [*IMAGES]


@pytest.mark.parametrize(
    ('ids', 'new'),
    [({'a.png': 7, 'b.png': 41}, 44), ({'a.png': 'x', 'b.png': 'y'}, 'new-2')],
)
def test_links_into_a_store_have_the_ids_of_their_names(folder, ids, new):
    (folder / 'store').mkdir()
    for number, path in enumerate([*(folder / 'images').iterdir()]):
        path.rename(folder / 'store' / str(number))
        path.symlink_to(folder / 'store' / str(number))
    images = [dict(id=i, file_name=name) for name, i in ids.items()]
    categories = [dict(id=i, name=name) for i, name in enumerate(('red', 'green'))]
    truth = folder / 'truth.json'
    truth.write_text(json.dumps(dict(images=images, categories=categories)))
    detector = write_detector(folder, 0, str(truth), str(folder / 'images'))
    predict(*detector, str(folder / 'images'), str(folder / 'out'))
    content = read(folder / 'out' / 'images.json')
    found = {image['file_name']: image['id'] for image in content['images']}
    assert {name: found[name] for name in ids} == ids
    assert found['c.png'] == new
    assert boxes_by_name(folder / 'out') == expected()


def test_many_classes_and_a_palette_of_few(folder):
    config, checkpoint = write_detector(folder)
    names = ('red', 'green', *map(str, range(1201)))
    text = (folder / 'blobs.py').read_text()
    (folder / 'blobs.py').write_text(text.replace("('red', 'green')", repr(names)))
    predict(config, checkpoint, str(folder / 'images'), str(folder / 'out'))
    assert boxes_by_name(folder / 'out') == expected()


def test_a_config_without_a_pipeline_for_tests(folder):
    config, checkpoint = write_detector(folder)
    text = (folder / 'blobs.py').read_text()
    (folder / 'blobs.py').write_text(text.replace('test_dataloader', 'my_dataloader'))
    with pytest.raises(UserError, match='test_dataloader'):
        predict(config, checkpoint, str(folder / 'images'), str(folder / 'out'))
    assert not (folder / 'out').exists()
    (folder / 'blobs.py').write_text(text.replace('test_dataloader', 'val_dataloader'))
    predict(config, checkpoint, str(folder / 'images'), str(folder / 'out'))
    assert boxes_by_name(folder / 'out') == expected()


def test_a_config_that_loads_no_files(folder):
    config, checkpoint = write_detector(folder)
    text = (folder / 'blobs.py').read_text()
    text = text.replace('LoadImageFromFile', 'LoadImageFromNDArray')
    (folder / 'blobs.py').write_text(text)
    with pytest.raises(UserError, match='LoadImageFromFile'):
        predict(config, checkpoint, str(folder / 'images'), str(folder / 'out'))


def test_a_config_that_loads_floats(folder):
    config, checkpoint = write_detector(folder)
    text = (folder / 'blobs.py').read_text()
    text = text.replace("FromFile'", "FromFile', to_float32=True")
    (folder / 'blobs.py').write_text(text)
    predict(config, checkpoint, str(folder / 'images'), str(folder / 'out'))
    assert boxes_by_name(folder / 'out') == expected()
    assert (folder / 'out' / 'vis' / 'a.png').exists()


FRAMES = 8


@pytest.fixture
def video(tmp_path):
    """A rectangle that moves 10 pixels a frame to the right."""
    path = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*'MJPG'), 10.0, (120, 64)
    )
    for i in range(FRAMES):
        writer.write(draw((120, 64), ('red', 8 + 10 * i, 16, 16, 24)))
    writer.release()
    return path


def lefts(out):
    content = read(out / 'images.json')
    frames = {image['id']: image['frame_id'] for image in content['images']}
    assert [*frames.values()] == [*range(len(frames))]
    # JPEG blurs the edges
    found = read(out / 'predictions.json')
    return {frames[d['image_id']]: pytest.approx(d['bbox'][0], abs=2) for d in found}


@pytest.mark.parametrize('ending', ['avi', 'mts', ''])
def test_a_video_gives_a_video_and_frame_numbers(video, tmp_path, ending):
    out = tmp_path / 'out'
    video = video.rename(tmp_path / f'clip.{ending}'.strip('.'))
    call('predict', *write_detector(tmp_path), video, '--out', out)
    assert lefts(out) == {i: 8 + 10 * i for i in range(FRAMES)}
    assert read(out / 'images.json')['videos'] == [dict(id=1, name=video.name)]
    drawn = cv2.VideoCapture(str(out / 'vis' / 'clip.mp4'))
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
    assert drawn.get(cv2.CAP_PROP_FPS) == 10
    # enlarged 8 times, since it is small
    ok, frame = drawn.read()
    assert ok and frame.shape == (512, 960, 3)


def test_a_video_that_ends_early_keeps_what_was_done(video, tmp_path):
    video.write_bytes(video.read_bytes()[: int(video.stat().st_size * 0.8)])
    out = tmp_path / 'out'
    line = mistake('predict', *write_detector(tmp_path), video, '--out', out)
    done = len(lefts(out))
    assert 1 <= done < FRAMES - 1
    assert f'{done} of its {FRAMES} frames' in line
    assert cv2.VideoCapture(str(out / 'vis' / 'clip.mp4')).read()[0]
