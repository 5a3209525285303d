# ECA for MMDetection's own COCO Mask R-CNN: the attention starts as the identity, so
# the AP is that of MMDetection's model zoo before the first step. Then the last four
# epochs of its 1x schedule once more: a tenth of the rate, and a hundredth in the
# last. The attention is new and takes the whole rate. The first stage trains too,
# since the attention of a frozen stage stays the identity.
_base_ = './mask_rcnn_eca_r50_fpn_1x.py'

load_from = (
    'https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/'
    'mask_rcnn_r50_fpn_1x_coco/mask_rcnn_r50_fpn_1x_coco_20200205-d4b0c5d6.pth'
)
model = dict(backbone=dict(frozen_stages=0, init_cfg=None))
train_cfg = dict(max_epochs=4)
optim_wrapper = dict(
    optimizer=dict(lr=0.001),
    paramwise_cfg=dict(custom_keys={'.eca.': dict(lr_mult=10)}),
)
_warm_up, _steps = _base_.param_scheduler
param_scheduler = [_warm_up, dict(_steps, end=4, milestones=[3])]
