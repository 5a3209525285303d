from .top_accuracy import TopAccuracy

__all__ = ['TopAccuracy']
