"""How many calls a connection takes at a time."""

from apps.providers.pace import FORGOTTEN_ABOVE, Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_pace__nothing_refused__bounds_nothing() -> None:
    pace = Pace(Clock())

    pace.answered(64)

    assert (pace.limit, pace.rests_for()) == (None, 0.0)


def test_pace__refused__is_half_of_what_was_in_flight_and_rests_as_long_as_told() -> None:
    clock = Clock()
    pace = Pace(clock)

    pace.refused(64, 7.0)

    assert (pace.limit, pace.rests_for()) == (32, 7.0)
    clock.now += 7
    assert pace.rests_for() == 0.0


def test_pace__refusals_of_calls_that_were_under_way__halve_once() -> None:
    pace = Pace(Clock())

    for busy in range(8, 0, -1):
        pace.refused(busy, None)

    assert pace.limit == 4
    pace.refused(4, None)
    assert pace.limit == 2


def test_pace__refused_again_and_again__never_falls_under_one_and_rests_longer() -> None:
    clock = Clock()
    pace = Pace(clock)
    rests = []

    for _ in range(3):
        pace.refused(1, None)
        rests.append(pace.rests_for())
        clock.now += rests[-1]

    assert pace.limit == 1
    assert rests == [1.0, 2.0, 4.0]


def test_pace__a_round_of_answers__grows_by_one() -> None:
    pace = Pace(Clock())
    pace.refused(20, None)

    for _ in range(19 + 11):  # those that were under way, and a round of ten
        pace.answered(10)

    assert pace.limit in (11, 12, 13)


def test_pace__answers_that_leave_most_of_it_unused__do_not_grow_it() -> None:
    pace = Pace(Clock())
    pace.refused(20, None)

    for _ in range(100):
        pace.answered(2)

    assert pace.limit == 10


def test_pace__grown_far_enough__is_forgotten() -> None:
    pace = Pace(Clock())
    pace.refused(2 * FORGOTTEN_ABOVE - 2, None)

    for _ in range(4 * FORGOTTEN_ABOVE):
        pace.answered(FORGOTTEN_ABOVE)

    assert pace.limit is None
