# The paper's detectors with a quarter of their channels, for images a fifth of COCO's
# size: two CPU cores train one in minutes. Norm in the FPN, since nothing is pretrained
# on ImageNet.
custom_imports = dict(imports=['mmdet_eca'])
backbone = dict(
    _delete_=True,  # mmdet's starts from ImageNet weights
    type='ECAResNet',
    depth=50,
    kernel_size=(3, 5, 5, 7),
    base_channels=16,
    norm_eval=False,
)
neck = dict(in_channels=[64, 128, 256, 512], out_channels=64, norm_cfg=dict(type='BN'))
# Faster R-CNN, and Mask R-CNN without its masks.
rcnn = dict(
    rpn_head=dict(in_channels=64, feat_channels=64, anchor_generator=dict(scales=[4])),
    roi_head=dict(
        bbox_roi_extractor=dict(
            out_channels=64, finest_scale=28, roi_layer=dict(sampling_ratio=1)
        ),
        bbox_head=dict(in_channels=64, fc_out_channels=256, num_classes=10),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=128)),
        rpn_proposal=dict(nms_pre=300, max_per_img=100),
        rcnn=dict(sampler=dict(num=48, pos_fraction=0.5)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=100), rcnn=dict(max_per_img=30)),
)
