"""Annotation files: JSON near to COCO's."""

import json
import struct
import zlib

from .mutations import damaged, write

_HUGE = '1' + '0' * 5000
_NUMBERS = (0, 1, -1, 2.5, 1e308, 2**31, 2**63, 2**64, -(2**63), 10**30, 1e-320)
# What json reads or writes, and what it does not, as text.
_TEXTS = (
    'NaN',
    'Infinity',
    '-Infinity',
    _HUGE,
    '-' + _HUGE,
    '1e999',
    '01',
    'tru',
    "'a'",
)
_TEXTS += (
    '"\\ud800"',
    '"\\u0000"',
    '"a\\nb"',
    '"../../etc/passwd"',
    '"' + 'x' * 9000 + '"',
)
_TEXTS += ('[' * 2000 + ']' * 2000, '{"a":' * 2000 + '1' + '}' * 2000, '"\\x"', '/*')
_KEYS = (
    'id',
    'image_id',
    'category_id',
    'file_name',
    'width',
    'height',
    'bbox',
    'area',
)
_KEYS += ('iscrowd', 'segmentation', 'name', 'ignore', 'supercategory')


def annotations(random, folder):
    """A file of a few images and objects with values of other types at some places."""
    content = _coco()
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        _change(random, content)
    text = _written(random, content)
    data = text.encode('utf-8', 'surrogatepass')
    chance = random.random()
    if chance < 0.15:
        data = damaged(
            random, data, (b'\xff', b'\x00', b'\xed\xa0\x80', b'"', b'[', b'}')
        )
    elif chance < 0.2:
        data = data[: random.randrange(len(data))]
    elif chance < 0.23:
        data = random.choice((b'\xef\xbb\xbf', b'\xff\xfe', b' ' * 10_000)) + data
    for name in ('a.png', 'b.png'):
        if random.random() < 0.98:
            write(folder, name, _PNG)
    return write(folder, 'instances.json', data)


def depths(random, folder):
    """Nesting, numerals and repetitions without end."""
    count = random.choice((1000, 100_000, 1_000_000))
    text = random.choice(
        (
            '[' * count,
            '{"images":' + '[' * count,
            '{"images":[' + '{"a":' * count,
            '{"images": ' + '9' * count,
            '{"images": [' + '9' * count + ']}',
            '{"categories":[' + '[' * count,
            '{"categories": ' * (count // 100),
            '{"categories":[' + '{"name":"a","id":1},' * (count // 100),
            '{"' + 'a' * count,
            '{"images":["' + '\\u00' * (count // 4),
            '{' + ',' * count,
            '{"images":[' + '1,' * (count // 2) + '1]}',
        )
    )
    return write(folder, 'instances.json', text.encode())


def _coco():
    return dict(
        info=dict(year=2024),
        images=[
            dict(id=i, file_name=name, width=4, height=3)
            for i, name in enumerate(('a.png', 'b.png'))
        ],
        annotations=[
            dict(
                id=i + 1,
                image_id=i % 2,
                category_id=(7, 3)[i % 2],
                bbox=[0, 0, 3, 2],
                area=6,
                iscrowd=0,
                segmentation=[[0, 0, 3, 0, 3, 2]],
            )
            for i in range(3)
        ],
        categories=[dict(id=7, name='a'), dict(id=3, name='b')],
    )


class _Text(str):
    """Stands in the JSON as it is."""


def _value(random):
    kind = random.randrange(10)
    if kind < 3:
        return random.choice(_NUMBERS)
    if kind < 6:
        return _Text(random.choice(_TEXTS))
    return random.choice(
        (
            *(None, True, False, '', 'a', '1', [], {}, [1], [[1]], [None], {'a': 1}),
            *(
                [1, 2, 3],
                [1, 2, 3, 4, 5],
                ['1', '2', '3', '4'],
                [1e308] * 4,
                [True] * 4,
            ),
            *(dict(counts='0', size=[3, 4]), dict(counts=[1, 2**40], size=[-1, 1])),
            [[]] * 3,
        )
    )


def _change(random, content):
    where = random.choice(list(content))
    if random.random() < 0.1:
        content[where] = _value(random)
        return
    if random.random() < 0.05:
        del content[where]
        return
    entries = content[where]
    if not isinstance(entries, list) or not entries:
        return
    i = random.randrange(len(entries))
    change = random.randrange(6)
    if change == 0:
        entries[i] = _value(random)
    elif change == 1:
        entries.append(entries[i])
    elif isinstance(entries[i], dict):
        key = random.choice([*entries[i], *_KEYS])
        if change == 2:
            entries[i].pop(key, None)
        elif change == 3 and isinstance(entries[i].get(key), list) and entries[i][key]:
            entries[i][key] = [*entries[i][key][1:], _value(random)]
        else:
            entries[i][key] = _value(random)


def _written(random, content):
    """JSON, in which a ``_Text`` stands as it is, and keys may stand twice."""
    places = {}

    def mark(value):
        if isinstance(value, _Text):
            places[f'@{len(places)}@'] = str(value)
            return f'@{len(places) - 1}@'
        if isinstance(value, list):
            return [mark(entry) for entry in value]
        if isinstance(value, dict):
            return {key: mark(entry) for key, entry in value.items()}
        return value

    text = json.dumps(mark(content), ensure_ascii=random.random() < 0.5)
    for key, value in places.items():
        text = text.replace(f'"{key}"', value)
    if random.random() < 0.05:
        text = text.replace('"id":', '"id": 5, "id":', random.choice((1, 9)))
    if random.random() < 0.05:
        text = text[:-1] + ', "images": [], "categories": {}}'
    return text


def _chunk(kind, data):
    return (
        struct.pack('>I', len(data))
        + kind
        + data
        + struct.pack('>I', zlib.crc32(kind + data))
    )


_PNG = (
    b'\x89PNG\r\n\x1a\n'
    + _chunk(b'IHDR', struct.pack('>IIBBBBB', 4, 3, 8, 0, 0, 0, 0))
    + _chunk(b'IDAT', zlib.compress(bytes(15)))
    + _chunk(b'IEND', b'')
)
