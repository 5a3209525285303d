# No attention: torchvision's weights.
custom_imports = dict(imports=['mmdet_eca'])
backbone = dict(
    type='ResNet',
    depth=50,
    init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'))
