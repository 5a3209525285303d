# No attention: torchvision's weights.
custom_imports = dict(imports=['mmdet_eca'])
backbone = dict(
    type='ResNet',
    depth=101,
    init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101'))
