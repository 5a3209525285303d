# A2-Nets' authors trained with batches of 2048 and a learning rate of sqrt(0.1). Here
# the recipe is that of all ResNets.
_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='A2ResNet', depth=50, ratio=2), in_channels=2048)
