"""#Param and FLOPs of Table 3."""

import pytest

from mmdet_eca.tables.classifiers import count_classifier


@pytest.mark.parametrize(
    ('name', 'parameters', 'operations', 'off'),
    [
        ('resnet50', 24.37, 3.86, 0),
        ('eca_resnet18', 11.15, 1.70, 0),
        ('eca_resnet34', 20.79, 3.43, 0),
        ('eca_resnet50', 24.37, 3.86, 0),
        ('eca_resnet101', 42.49, 7.35, 0),
        ('eca_resnet152', 57.41, 10.83, 1),
        ('se_resnet50', 26.77, 3.87, 0),
        ('se_resnet101', 47.01, 7.35, 0),
    ],
)
def test_resnets_have_the_papers_columns(name, parameters, operations, off):
    """In 2^20 and 2^30. The figures of 152 differ by 0.01."""
    counted = count_classifier(name)
    limit = 0.01 * off + 1e-9
    assert abs(round(counted.parameters / 2**20, 2) - parameters) <= limit
    assert abs(round(counted.operations / 2**30, 2) - operations) <= limit


@pytest.mark.parametrize(
    ('name', 'operations'), [('mobilenetv2', 319.4), ('eca_mobilenetv2', 319.9)]
)
def test_mobilenets_have_the_papers_columns(name, operations):
    """The operations in 2^20."""
    counted = count_classifier(name)
    assert round(counted.parameters / 2**20, 2) == 3.34
    assert round(counted.operations / 2**20, 1) == operations
