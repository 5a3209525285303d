# Attention for a trained plain detector: it starts as the identity, see
# docs/weights.md.
_base_ = './mask_rcnn_r50_finetune_digits.py'

model = dict(backbone=dict(type='ECAResNet'))
