"""Sharing slots out."""

from dataclasses import replace
from uuid import UUID

from apps.batches.fairness import LEAST_SLOTS, OpenJobs, Waiting, newcomers, share, slots_of_each


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


def test_share__a_job_that_its_provider_holds_back__leaves_its_slots_to_others() -> None:
    held_back = replace(job(1, organization=1), most=2)

    assert share([held_back, job(2, organization=2)], 10) == {UUID(int=1): 2, UUID(int=2): 8}


def test_slots_of_each__several_pumps__share_what_there_is_use_for() -> None:
    jobs = [job(1, organization=1, pending=1_000, limit=200), job(2, organization=2, pending=20, running=36)]

    assert slots_of_each(OpenJobs(jobs, 1), 256) == 250
    assert slots_of_each(OpenJobs(jobs, 1), 100) == 100
    assert slots_of_each(OpenJobs(jobs, 5), 256) == 50
    assert slots_of_each(OpenJobs(jobs, 100), 256) == LEAST_SLOTS


def test_newcomers__only_who_has_nothing_in_flight__and_was_given_nothing() -> None:
    busy, served, new = job(1, organization=1, running=9), job(2, organization=2), job(3, organization=3)

    assert newcomers([busy, served, new], {served.id: 1}) == [new]
