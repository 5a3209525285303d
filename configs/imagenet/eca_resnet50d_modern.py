# None: the paper's formula, as timm's ecaresnet50d.
_base_ = './_base_/modern.py'

model = dict(backbone=dict(type='ECAResNetV1d', depth=50, kernel_size=None))
