# No attention: torchvision's first weights, as 'torchvision://resnet50' of mmdet's
# own configs, by their address. torchvision is not needed.
custom_imports = dict(imports=['mmdet_eca'])
backbone = dict(
    type='ResNet',
    depth=50,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://download.pytorch.org/models/resnet50-0676ba61.pth',
    ),
)
