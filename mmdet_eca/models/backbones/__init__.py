from .attention_resnet import AttentionResNet, ECAResNet

__all__ = ['AttentionResNet', 'ECAResNet']
