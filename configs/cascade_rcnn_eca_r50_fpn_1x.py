# ECA in MMDetection's Cascade R-CNN.
_base_ = ['mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py', './_base_/eca_r50.py']

model = dict(backbone=_base_.backbone)
