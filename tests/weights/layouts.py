"""State dicts with the names and shapes of other people's, seeded numbers."""

import os.path as osp

import torch


def fill(shapes, seed=0):
    """Weights that keep the features' scale, so that differences show."""
    random = torch.Generator().manual_seed(seed)
    state_dict = {}
    for name, shape in shapes.items():
        if name.endswith('num_batches_tracked'):
            value = torch.tensor(7)
        elif name.endswith('running_var') or (
            len(shape) == 1 and name.endswith('weight')
        ):
            value = 0.5 + torch.rand(shape, generator=random)
        elif len(shape) == 1:
            value = 0.1 * torch.randn(shape, generator=random)
        else:
            fan_in = max(torch.Size(shape[1:]).numel(), 1)
            value = torch.randn(shape, generator=random) * (2 / fan_in) ** 0.5
        state_dict[name] = value
    return state_dict


def read_layout(name):
    """Names and shapes in a file beside this one."""
    with open(osp.join(osp.dirname(__file__), f'{name}.txt')) as file:
        rows = [line.split() for line in file if not line.startswith('#')]
    return {row[0]: tuple(map(int, row[1:])) for row in rows}


def resnet_layout(depth=50, kernel_size=None, width=8, prefix='', classes=10):
    """torchvision's names, or with ``kernel_size`` the ECA-Net authors'."""
    shapes = {f'{prefix}conv1.weight': (width, 3, 7, 7)}

    def norm(name, channels):
        shapes.update(
            {
                f'{name}.{part}': (channels,)
                for part in ('weight', 'bias', 'running_mean', 'running_var')
            }
        )
        shapes[f'{name}.num_batches_tracked'] = ()

    norm(f'{prefix}bn1', width)
    channels = width
    blocks = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}[depth]
    for stage, number in enumerate(blocks):
        middle, last = width * 2**stage, 4 * width * 2**stage
        for block in range(number):
            name = f'{prefix}layer{stage + 1}.{block}'
            for i, shape in enumerate(
                (
                    (middle, channels, 1, 1),
                    (middle, middle, 3, 3),
                    (last, middle, 1, 1),
                ),
                start=1,
            ):
                shapes[f'{name}.conv{i}.weight'] = shape
                norm(f'{name}.bn{i}', shape[0])
            if kernel_size is not None:
                shapes[f'{name}.eca.conv.weight'] = (1, 1, kernel_size[stage])
            if block == 0:
                shapes[f'{name}.downsample.0.weight'] = (last, channels, 1, 1)
                norm(f'{name}.downsample.1', last)
            channels = last
    if classes:
        shapes[f'{prefix}fc.weight'] = (classes, channels)
        shapes[f'{prefix}fc.bias'] = (classes,)
    return shapes
