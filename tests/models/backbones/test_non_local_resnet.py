import torch
from mmcv.cnn.bricks import NonLocal2d
from mmdet.models.backbones import ResNet

from mmdet_eca import NonLocalResNet


def test_plain_until_trained():
    """The block starts as the identity, and the plain network's names stay."""
    plain = ResNet(50, base_channels=8)
    plain.eval()  # mmdet's returns None
    backbone = NonLocalResNet(depth=50, base_channels=8).eval()
    missing = backbone.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all(
        name.startswith('layer3.nonlocal_block.') for name in missing.missing_keys
    )
    x = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        for out, expected in zip(backbone(x), plain(x)):
            torch.testing.assert_close(out, expected)


def test_one_block_right_before_the_last_of_c4():
    backbone = NonLocalResNet(depth=50, base_channels=8)
    assert [name for name, _ in backbone.layer3.named_children()] == [
        '0',
        '1',
        '2',
        '3',
        '4',
        'nonlocal_block',
        '5',
    ]
    blocks = [
        name
        for name, module in backbone.named_modules()
        if isinstance(module, NonLocal2d)
    ]
    assert blocks == ['layer3.nonlocal_block']
    assert backbone.eval() is backbone
    torch.nn.init.normal_(backbone.layer3.nonlocal_block.conv_out.conv.weight)
    x = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        outs = backbone(x)
        c3 = outs[1]
        inside = backbone.layer3
        expected = c3
        for number in range(5):
            expected = inside[number](expected)
        # Embedded Gaussian, Equations (4) and (6) of the paper.
        block = inside.nonlocal_block
        n, c, h, w = expected.shape
        theta, phi, g = (
            getattr(block, name)(expected).flatten(2) for name in ('theta', 'phi', 'g')
        )
        pairs = (theta.transpose(1, 2) @ phi / (c // 2) ** 0.5).softmax(-1)
        y = (g @ pairs.transpose(1, 2)).reshape(n, c // 2, h, w)
        expected = getattr(inside, '5')(expected + block.conv_out(y))
    torch.testing.assert_close(outs[2], expected)
