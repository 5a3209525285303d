import pytest

from mmdet_eca.commands import main


@pytest.fixture
def reproduce_tables(capsys):
    """Runs ``mmdet-eca reproduce-tables`` with these arguments; gives its output.

    In this process, since to import everything anew takes longer than the rest.
    """

    def run(*arguments):
        main(['reproduce-tables', *map(str, arguments)])
        return capsys.readouterr()

    return run
