"""The command line, with files that it cannot convert."""

import argparse
import os

import pytest
import torch
from safetensors.torch import save_file

from mmdet_eca import UserError
from mmdet_eca.weights.convert import convert_checkpoint
from tests.weights.layouts import fill, resnet_layout


def truncated(path):
    torch.save(fill(resnet_layout()), path)
    os.truncate(path, os.path.getsize(path) // 2)


def truncated_before_torch_1_6(path):
    torch.save(fill(resnet_layout()), path, _use_new_zipfile_serialization=False)
    os.truncate(path, os.path.getsize(path) // 2)


def text(path):
    path.write_text('Not Found\n')


def empty(path):
    path.touch()


def with_arguments(path):
    torch.save(
        dict(state_dict=fill(resnet_layout()), args=argparse.Namespace(lr=0.1)), path
    )


def without_weights(path):
    torch.save(dict(epoch=3), path)


def foreign(path):
    torch.save({'blocks.0.attn.qkv.weight': torch.ones(2)}, path)


def none(path):
    pass


CUT_OFF = 'is cut off, or no checkpoint'
BAD = [
    (truncated, CUT_OFF),
    (truncated_before_torch_1_6, CUT_OFF),
    (text, CUT_OFF),
    (empty, CUT_OFF),
    (with_arguments, 'argparse.Namespace would have to be run'),
    (without_weights, 'has no state_dict'),
    (foreign, 'is none of: '),
    (none, 'does not exist'),
]


@pytest.mark.parametrize(('make', 'message'), BAD)
def test_bad_files(make, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, out = tmp_path / 'in.pth', tmp_path / 'out.pth'
    make(path)
    with pytest.raises(UserError) as error:
        convert_checkpoint(str(path), str(out))
    assert str(path) in str(error.value) and message in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert set(os.listdir(tmp_path)) <= {'in.pth'}  # no output, nothing ran


def test_an_existing_output_survives_a_failure(tmp_path, monkeypatch):
    path, out = tmp_path / 'in.pth', tmp_path / 'out.pth'
    torch.save(fill(resnet_layout()), path)
    out.write_text('precious')
    truncated(tmp_path / 'bad.pth')
    with pytest.raises(UserError):
        convert_checkpoint(str(tmp_path / 'bad.pth'), str(out))

    def disk_full(checkpoint, file):
        file.write(b'half')
        raise OSError('No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(torch, 'save', disk_full)
        with pytest.raises(UserError, match='cannot be written: No space left'):
            convert_checkpoint(str(path), str(out))
    assert out.read_text() == 'precious'
    convert_checkpoint(str(path), str(out))
    assert 'state_dict' in torch.load(out, weights_only=True)
    assert sorted(os.listdir(tmp_path)) == ['bad.pth', 'in.pth', 'out.pth']


def test_the_output_is_not_the_input(tmp_path):
    path = tmp_path / 'in.pth'
    torch.save(fill(resnet_layout()), path)
    with pytest.raises(UserError, match='give another name'):
        convert_checkpoint(str(path), str(path))
    with pytest.raises(UserError, match='cannot be written'):
        convert_checkpoint(str(path), str(tmp_path / 'none' / 'out.pth'))


def test_safetensors_are_converted(tmp_path):
    path, out = tmp_path / 'model.safetensors', tmp_path / 'out.pth'
    state_dict = fill(resnet_layout())
    save_file(state_dict, path)
    assert "torchvision's" in convert_checkpoint(str(path), str(out))
    converted = torch.load(out, weights_only=True)['state_dict']
    assert all(torch.equal(converted[k], state_dict[k]) for k in state_dict)
