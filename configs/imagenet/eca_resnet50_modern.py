_base_ = './_base_/modern.py'

model = dict(backbone=dict(type='ECAResNet', depth=50, kernel_size=(3, 5, 5, 7)))
