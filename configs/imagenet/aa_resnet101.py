# AA-Net's authors trained with Inception's augmentation and other learning rates.
# Here the recipe is that of all ResNets.
_base_ = './_base_/resnet.py'

model = dict(backbone=dict(type='AAResNet', depth=101), in_channels=2048)
