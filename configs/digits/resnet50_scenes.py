# ResNet-50 on the crops of the digits in scenes: the backbone that
# mask_rcnn_r50_scenes.py starts from.
_base_ = './resnet50_digits.py'

train_dataloader = dict(dataset=dict(root='data/digits_scenes/crops/train'))
val_dataloader = dict(dataset=dict(root='data/digits_scenes/crops/val'))
