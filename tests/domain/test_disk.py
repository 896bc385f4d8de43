from gateway.domain.disk import DiskReserve, DiskStage


def test_each_stage_begins_below_its_own_limit() -> None:
    reserve = DiskReserve(30, 20, 10)

    assert [reserve.limit_of(stage) for stage in DiskStage] == [0, 30, 20, 10]
