# Figure 4: one kernel size for all stages, also ECA in Table 2.
_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='ECAResNet', depth=50, kernel_size=3), in_channels=2048)
