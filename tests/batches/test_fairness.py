"""Sharing slots out."""

from dataclasses import replace
from uuid import UUID

from apps.batches.fairness import Waiting, share


def job(number: int, *, organization: int, pending: int = 100, running: int = 0, limit: int = 50) -> Waiting:
    return Waiting(UUID(int=number), UUID(int=organization), pending, running, limit)


def test_share__a_busy_organization_and_a_new_one__the_new_one_is_served_first() -> None:
    given = share([job(1, organization=1, running=10), job(2, organization=2)], 4)

    assert given == {UUID(int=2): 4}


def test_share__two_organizations_that_have_nothing__half_each() -> None:
    given = share([job(1, organization=1), job(2, organization=2)], 10)

    assert given == {UUID(int=1): 5, UUID(int=2): 5}


def test_share__two_jobs_of_one_organization__count_as_one() -> None:
    given = share([job(1, organization=1), job(2, organization=1), job(3, organization=2)], 8)

    assert given == {UUID(int=1): 2, UUID(int=2): 2, UUID(int=3): 4}


def test_share__more_slots_than_room__only_the_room_is_given() -> None:
    given = share([job(1, organization=1, pending=3), job(2, organization=2, running=48)], 64)

    assert given == {UUID(int=1): 3, UUID(int=2): 2}


def test_share__nothing_to_start__gives_nothing() -> None:
    assert share([job(1, organization=1, pending=0, running=5)], 8) == {}


def test_share__an_organization_with_a_limit__gets_what_its_rows_in_flight_leave() -> None:
    jobs = [job(1, organization=1, running=3), job(2, organization=1), job(3, organization=2)]
    bounded = [
        replace(each, organization_limit=5) if each.organization_id.int == 1 else each for each in jobs
    ]

    assert share(bounded, 60) == {UUID(int=2): 2, UUID(int=3): 50}
    assert share([replace(bounded[0], running=9)], 8) == {}
