# The kernels are as large as the maps of images of 224x224.
_base_ = './_base_/resnet.py'

model = dict(
    backbone=dict(type='GEResNet', depth=50, variant='theta+', image_size=224),
    in_channels=2048,
)
