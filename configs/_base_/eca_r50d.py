# timm's ImageNet weights of ecaresnet50d, with the adaptive kernel size: downloaded
# when training starts.
custom_imports = dict(imports=['mmdet_eca'])
backbone = dict(
    type='ECAResNetV1d',
    depth=50,
    kernel_size=None,
    init_cfg=dict(type='Pretrained', checkpoint='timm://ecaresnet50d.miil_in1k'),
)
