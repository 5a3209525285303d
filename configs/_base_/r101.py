# No attention: torchvision's first weights, as 'torchvision://resnet101' of mmdet's
# own configs, by their address. torchvision is not needed.
custom_imports = dict(imports=['mmdet_eca'])
backbone = dict(
    type='ResNet',
    depth=101,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://download.pytorch.org/models/resnet101-63fe2227.pth',
    ),
)
