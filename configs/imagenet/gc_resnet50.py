# GCNet's authors put the blocks into a trained ResNet-50 and fine-tuned it. Here all is
# trained from scratch, by the recipe of all ResNets.
_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='GCResNet', depth=50, ratio=16), in_channels=2048)
