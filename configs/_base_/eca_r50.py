# The authors' ImageNet weights, and their kernel sizes.
custom_imports = dict(imports=['mmdet_eca'])
backbone = dict(
    type='ECAResNet',
    depth=50,
    kernel_size=(3, 5, 5, 7),
    init_cfg=dict(
        type='Pretrained', checkpoint='pretrained/eca_resnet50_k3557.pth.tar'
    ),
)
