"""However long a run takes, its curve is short and has its lowest moment."""

from __future__ import annotations

from tonnage.runtime.deploy.disk_curve import MOST_STRETCHES, DiskCurve


def test_a_curve_without_samples_has_no_points() -> None:
    assert DiskCurve().points() == ()


def test_the_first_sample_the_last_and_the_lowest_stay() -> None:
    curve = DiskCurve()
    for number in range(200_000):
        curve.sample(100.0 + number * 0.05, 7_000_000_001 if number == 123_457 else 9_000_000_011 + number)

    points = curve.points()

    assert len(points) <= MOST_STRETCHES + 2
    assert points[0] == (0.0, 9_000_000_011)
    assert points[-1] == (9_999.95, 9_000_000_011 + 199_999)
    assert min(points, key=lambda point: point[1]) == (6_172.85, 7_000_000_001)
    assert [at_s for at_s, _ in points] == sorted(at_s for at_s, _ in points)


def test_a_short_run_keeps_its_shape() -> None:
    curve = DiskCurve()
    for at_s, available in ((5.0, 900), (5.1, 400), (5.2, 700), (6.0, 300), (7.0, 800)):
        curve.sample(at_s, available)

    assert curve.points() == ((0.0, 900), (0.1, 400), (1.0, 300), (2.0, 800))


def test_a_clock_that_went_back_does_no_harm() -> None:
    curve = DiskCurve()
    curve.sample(5.0, 900)
    curve.sample(4.0, 800)

    assert curve.points() == ((0.0, 800), (0.0, 900))
