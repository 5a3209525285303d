"""Files in order, small ones, which others damage."""

import collections
import functools
import io
import pickle

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, MessageHub

from tests.checkpoints.layouts import fill, resnet_layout


def training_state():
    """What mmengine's Runner saves: weights, optimizer, schedules and message hub."""
    hub = MessageHub('fuzzing')
    for step in range(3):
        hub.update_scalar('train/loss', np.float32(step))
    hub.update_info('iter', np.int64(3))
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    model(torch.ones(1, 2, 2, 2)).sum().backward()
    optimizer.step()
    return dict(
        state_dict=model.state_dict(),
        optimizer=optimizer.state_dict(),
        param_schedulers=[
            torch.optim.lr_scheduler.MultiStepLR(optimizer, [8, 11]).state_dict()
        ],
        message_hub=hub.state_dict(),
        meta=dict(epoch=1, iter=3, dataset_meta=dict(classes=('a', 'b'))),
    )


def as_bytes(content, **options):
    """What torch.save writes."""
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


@functools.cache
def saved(name):
    """A file of a name: 'zip', 'legacy', 'pickle', 'bfloat16'."""
    if name == 'zip':
        return as_bytes(training_state())
    if name == 'legacy':
        return as_bytes(training_state(), _use_new_zipfile_serialization=False)
    if name == 'pickle':
        return pickle.dumps(collections.OrderedDict(a=[1, 2.5, 'x']), protocol=2)
    buffer = HistoryBuffer([1.0, 2.0], [1, 1])
    weights = {'w': torch.ones(2, 3).bfloat16().t(), 'v': torch.arange(3)[1:]}
    return as_bytes(dict(state_dict=weights, buffer=buffer, array=np.arange(3)))


@functools.cache
def resnet():
    """Names and tensors of a small ECA-ResNet-50, by torchvision's names."""
    return fill(resnet_layout(50, (1, 1, 3, 3), width=2, classes=2))


class _Bytes(dict):
    def __missing__(self, name):
        return saved(name)


BYTES = _Bytes()
