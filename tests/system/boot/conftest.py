"""Which system the machines are made of, and whether banlistd owns its table there: the options --release and --owner."""

from pathlib import Path

import pytest

from system.boot.machine_image import HUB, OUTSIDE, THIS_RELEASE, image, skip_where_no_machine_can_be


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for system in ("fresh_system", "system_with_services", "system_of_a_hub"):
        if system in metafunc.fixturenames:
            releases = metafunc.config.getoption("release") or [THIS_RELEASE]
            metafunc.parametrize(system, releases, indirect=True, scope="session")
    if "release" in metafunc.fixturenames:
        metafunc.parametrize("release", metafunc.config.getoption("release") or [THIS_RELEASE], scope="session")
    if "owner" in metafunc.fixturenames:
        answers = metafunc.config.getoption("owner") or ["no"]
        metafunc.parametrize("owner", answers, ids=[f"owner-{answer}" for answer in answers], scope="session")


@pytest.fixture(scope="session")
def fresh_system(request: pytest.FixtureRequest) -> Path:
    """The root of a system that was never started, of the release that the run asks for."""
    skip_where_no_machine_can_be()
    return image(request.param)


@pytest.fixture(scope="session")
def system_with_services(request: pytest.FixtureRequest) -> Path:
    """The same with a broker, Cockpit and Apprise."""
    skip_where_no_machine_can_be()
    return image(request.param, *OUTSIDE)


@pytest.fixture(scope="session")
def system_of_a_hub(request: pytest.FixtureRequest) -> Path:
    """The same with a web server and a broker."""
    skip_where_no_machine_can_be()
    return image(request.param, *HUB)
