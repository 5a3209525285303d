"""The paper's ImageNet figures, against each other and against counting."""

import pytest

from mmdet_eca.paper import paper_rows

TABLE_3 = {row.name: row for row in paper_rows([3])}


def test_tables_are_whole():
    assert len(paper_rows([1])) == 8
    assert len(paper_rows([2])) == 10
    assert sum(row.sources != ['poster'] for row in TABLE_3.values()) == 19
    assert len(TABLE_3) == 19 + 7  # of ResNet-18 and -34, on the poster
    assert len(paper_rows([4])) == 7
    assert len(paper_rows(figures=[4])) == 2 * 6


def test_what_several_tables_print_is_the_same():
    repeated = [
        *paper_rows([2]),
        *(row for row in paper_rows([4]) if row.name),
        *paper_rows(figures=[4]),
    ]
    seen = [
        (row.name, row.paper['top1'] == TABLE_3[row.name].paper['top1'])
        for row in repeated
        if row.name in TABLE_3
    ]
    assert len(seen) == 2 + 2 + 4 and all(same for _, same in seen)
    members = {row.name: row.paper['top1'] for row in paper_rows([2])}
    points = {point.name: point.paper['top1'] for point in paper_rows(figures=[4])}
    assert points['eca_k3_resnet50'] == members['eca_k3_resnet50']


# Counted by hand from the shapes of the layers.
@pytest.mark.parametrize(
    ('name', 'parameters'),
    [
        ('resnet50', 25_557_032),
        ('resnet152', 60_192_808),
        ('se_resnet50', 25_557_032 + 2_514_944),
        ('gc_resnet50', 28_078_773),
        ('gsop_resnet50', 28_054_440),
        ('aa_resnet101', 45_391_208),
        ('cbam_resnet34', 21_960_468),
    ],
)
def test_the_units_are_those_of_each_row(name, parameters):
    assert TABLE_3[name].parameters == pytest.approx(parameters, rel=5e-4)
