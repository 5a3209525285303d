# Figure 4: one kernel size for all stages.
_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='ECAResNet', depth=50, kernel_size=9), in_channels=2048)
