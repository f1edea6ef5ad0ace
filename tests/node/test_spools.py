"""Which partitions a worker holds."""

import pytest

from angarium.config.load import parse_config
from angarium.node.spools import partition_folders

CONFIG = parse_config("", "angarium.conf")


@pytest.mark.parametrize("workers", range(1, 9))
def test_every_partition_has_one_worker_and_every_worker_its_own_first(tmp_path, workers):
    for number in (0, 1, 2, 4, 6, 11):
        (tmp_path / "spool" / f"p{number}").mkdir(parents=True)
    (tmp_path / "spool" / "pictures").mkdir()
    held = [partition_folders(tmp_path, CONFIG, index, workers) for index in range(workers)]
    assert [folders[0].name for folders in held] == [f"p{index}" for index in range(workers)]
    names = [folder.name for folders in held for folder in folders]
    assert sorted(names) == sorted(
        {*(f"p{index}" for index in range(workers)), "p0", "p1", "p2", "p4", "p6", "p11"}
    )
