# Mask R-CNN with ECA on the digits in scenes, see docs/paper_tables.md.
_base_ = './mask_rcnn_eca_r50_digits.py'

_data_root = 'data/digits_scenes/'
_val_annotations = _data_root + 'annotations/instances_val.json'
train_dataloader = dict(dataset=dict(data_root=_data_root))
val_dataloader = dict(dataset=dict(data_root=_data_root))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=_val_annotations)
test_evaluator = val_evaluator
