"""The images are built once for all tests here (two to three minutes where nothing is cached)."""

from collections.abc import Iterator

import pytest

from tests.deploy.containers import Container, build_images


@pytest.fixture(scope="session")
def images() -> None:
    build_images()


@pytest.fixture(scope="session")
def callctl_image(images: None) -> Iterator[Container]:
    container = Container("callctl")
    yield container
    container.close()
