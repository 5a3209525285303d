# ECA in MMDetection's DINO.
_base_ = ['mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py', './_base_/eca_r50.py']

model = dict(backbone=_base_.backbone)
