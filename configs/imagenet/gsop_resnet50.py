# GSoP-Net1. Its authors trained for 95 epochs with batches of 384. Here the recipe is
# that of all ResNets. As theirs, the last stage keeps the resolution of the third.
_base_ = './_base_/resnet.py'

model = dict(
    backbone=dict(type='GSoPResNet', depth=50, strides=(1, 2, 2, 1)), in_channels=2048
)
