# ECA in MMDetection's ATSS.
_base_ = ['mmdet::atss/atss_r50_fpn_1x_coco.py', './_base_/eca_r50.py']

model = dict(backbone=_base_.backbone)
