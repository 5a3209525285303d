_base_ = ['./_base_/retinanet_fpn_1x.py', './_base_/r101.py']

model = dict(backbone=_base_.backbone)
