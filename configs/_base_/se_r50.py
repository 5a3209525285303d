# MMPretrain's ImageNet weights; their attention has biases, which the paper's
# columns do not count.
custom_imports = dict(imports=['mmdet_eca'])
backbone = dict(
    type='SEResNet',
    depth=50,
    bias=True,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='mmpretrain://https://download.openmmlab.com/'
        'mmclassification/v0/se-resnet/'
        'se-resnet50_batch256_imagenet_20200804-ae206104.pth',
    ),
)
