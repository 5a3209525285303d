"""State dicts whose names, shapes, types and meta are nearly those of a network."""

import torch

from .mutations import write
from .valid import as_bytes, resnet

_META = (
    None,
    1,
    'x',
    '2.0',
    '1.0',
    10**5000,
    -1,
    1e308,
    [],
    {},
    ('a',),
    [1],
    'a\nb',
    b'x',
)
_RENAMES = (
    ('eca.conv', 'se.conv'),
    ('eca.conv', 'se.fc1'),
    ('eca.conv', 'cbam.ChannelGate.mlp.1'),
    ('eca.conv', 'conv_for_DR'),
    ('eca.conv', 'gsop.row_bn'),
    ('eca.conv', 'context_block.channel_add_conv.0'),
    ('conv1', 'conv1.0'),
    ('layer', 'backbone.layer'),
    ('layer', 'module.layer'),
    ('layer1', 'layer9'),
    ('.0.', '.٣.'),
    ('fc', 'head.fc'),
    ('bn3', 'gn3'),
    ('conv3', 'linear_conv.conv'),
    ('bn1', 'roi_head.bbox_head.fc_cls'),
    ('bn1', 'bbox_head.transformer.x'),
)
_DTYPES = (torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64)


def state_dicts(random, folder):
    """A checkpoint that the converter or add_attention may take for one of theirs."""
    weights = dict(resnet())
    if random.random() < 0.5:
        weights = {k: v for k, v in weights.items() if '.eca.' not in k}
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        weights = _changed(random, weights)
    content = dict(state_dict=weights, meta=_meta(random))
    if random.random() < 0.1:
        content = random.choice((weights, list(weights.values()), {}, None, 7))
    return write(folder, 'plain.pth', as_bytes(content))


def _changed(random, weights):
    if not weights:  # all deleted
        return weights
    names = list(weights)
    chosen = random.choice(names)
    change = random.randrange(8)
    if change == 0:
        del weights[chosen]
    elif change == 1:
        weights[random.choice(('', 'a' * 5000, 'a\nb', 'layer1.0.', chosen + '.x'))] = (
            weights[chosen]
        )
    elif change == 2:
        shape = [random.choice((0, 1, 2, 3, 7)) for _ in range(random.randrange(5))]
        weights[chosen] = torch.ones(shape)
    elif change == 3:
        weights[chosen] = weights[chosen].to(random.choice(_DTYPES))
    elif change == 4:
        old, new = random.choice(_RENAMES)
        weights = {name.replace(old, new): value for name, value in weights.items()}
    elif change == 5:
        huge = random.choice(((2**40,), (2**33, 2, 1, 1), (2**20, 2**20)))
        weights[chosen] = torch.ones(1).expand(huge)
    elif change == 6:
        weights[chosen] = random.choice(
            (
                1,
                None,
                'x',
                [weights[chosen]],
                torch.empty(2, device='meta'),
                torch.eye(2).to_sparse(),
            )
        )
    else:
        kept = random.randrange(len(names))
        weights = {name: weights[name] for name in names[:kept]}
        if not weights:
            weights = {chosen: torch.ones(1)}
    return weights


def _meta(random):
    keys = (
        'mmdet_version',
        'mmengine_version',
        'mmdet_eca',
        'CLASSES',
        'dataset_meta',
        'epoch',
        'iter',
        'config',
    )
    meta = {
        random.choice(keys): random.choice(_META) for _ in range(random.randrange(4))
    }
    return meta if random.random() < 0.95 else random.choice(_META)
