# The authors' ImageNet weights, and their kernel sizes.
custom_imports = dict(imports=['mmdet_eca'])
backbone = dict(
    type='ECAResNet',
    depth=101,
    kernel_size=(3, 3, 5, 7),
    init_cfg=dict(
        type='Pretrained', checkpoint='pretrained/eca_resnet101_k3357.pth.tar'
    ),
)
