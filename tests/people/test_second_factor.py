"""The second factor: RFC 6238 codes, once each, and recovery codes."""

import asyncio
from datetime import datetime, timedelta

import pyotp

from callctl.core.errors import CallctlError
from callctl.features.access.model import SignIn
from callctl.features.access.totp import STEP_SECONDS, step_of_code
from tests.people.conftest import PASSWORD, Office, Person

# RFC 6238, appendix B: the key of its examples, and the last six digits of those for SHA-1.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
RFC_CODES = ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037"))


def test_codes_are_those_of_the_rfc() -> None:
    for seconds, code in RFC_CODES:
        at = datetime.fromtimestamp(seconds).astimezone()
        step = seconds // STEP_SECONDS
        assert step_of_code(RFC_SECRET, code, at) == step
        # A clock may be half a minute off, no more.
        for off in (-STEP_SECONDS, STEP_SECONDS):
            assert step_of_code(RFC_SECRET, code, at + timedelta(seconds=off)) == step
        assert step_of_code(RFC_SECRET, code, at + timedelta(seconds=2 * STEP_SECONDS)) is None
    for wrong in (
        "",
        "28708",
        "2870822",
        "\u0662\u0668\u0667\u0660\u0668\u0662",
        "\ud800",
        "x" * 40,
    ):
        assert step_of_code(RFC_SECRET, wrong, datetime.fromtimestamp(59).astimezone()) is None


def code_of(office: Office, secret: str) -> str:
    """A code that was not used yet: the clock moves on to it."""
    office.now[0] += timedelta(seconds=STEP_SECONDS)
    return pyotp.TOTP(secret).at(office.now[0])


async def with_second_factor(office: Office) -> tuple[Person, str, list[str]]:
    anna = await office.person("anna")
    status, enrolment = await office.ask(
        "POST", "/profile/second-factor", {"password": PASSWORD}, who=anna
    )
    assert status == 201, enrolment
    secret = enrolment["secret"]
    assert f"secret={secret}" in enrolment["uri"]
    status, made, response = await office.ask_whole(
        "POST", "/profile/second-factor/confirm", {"code": code_of(office, secret)}, who=anna
    )
    assert status == 200, made
    cookie = response.headers["Set-Cookie"].split(";")[0]
    assert cookie != anna.cookie
    assert (await office.ask("GET", "/profile", who=anna))[0] == 401  # The old secret.
    return Person(anna.id, anna.login, cookie), secret, made["codes"]


async def sign_in(office: Office, code: str, password: str = PASSWORD) -> tuple[int, str]:
    body = {"login": "anna", "password": password, "code": code}
    status, answer = await office.ask("POST", "/sessions", body, who=None)
    return status, answer.get("error", {}).get("code", "")


async def test_signing_in_needs_a_code_and_each_works_once(office: Office) -> None:
    _, secret, _ = await with_second_factor(office)
    assert await sign_in(office, "") == (401, "second_factor_required")
    assert await sign_in(office, "000000") == (401, "wrong_credentials")
    assert await sign_in(office, code_of(office, secret), "wrong") == (401, "wrong_credentials")
    code = code_of(office, secret)
    answers = await asyncio.gather(*(sign_in(office, code) for _ in range(2)))
    assert sorted(answers) == [(201, ""), (401, "wrong_credentials")]
    assert (await sign_in(office, f" {code[:3]} {code[3:]} "))[0] == 401
    code = code_of(office, secret)
    assert (await sign_in(office, f" {code[:3]} {code[3:]} "))[0] == 201


async def test_before_its_first_code_it_is_not_in_force(office: Office) -> None:
    anna = await office.person("anna")
    path = "/profile/second-factor"
    status, body = await office.ask("POST", f"{path}/confirm", {"code": "1"}, who=anna)
    assert (status, body["error"]["code"]) == (409, "conflict")
    assert (await office.ask("POST", path, {"password": "wrong"}, who=anna))[0] == 422
    assert (await office.ask("POST", path, {"password": PASSWORD}, who=anna))[0] == 201
    status, body = await office.ask("POST", f"{path}/confirm", {"code": "1"}, who=anna)
    assert (status, body["error"]["field"]) == (422, "body.code")
    assert (await sign_in(office, ""))[0] == 201


async def test_a_recovery_code_stands_in_once(office: Office) -> None:
    anna, _, codes = await with_second_factor(office)
    assert len(set(codes)) == 10
    answers = await asyncio.gather(*(sign_in(office, codes[0].upper()) for _ in range(2)))
    assert sorted(answers) == [(201, ""), (401, "wrong_credentials")]
    _, profile = await office.ask("GET", "/profile", who=anna)
    assert (profile["second_factor"], profile["recovery_codes"]) == (True, 9)


async def test_guessing_codes_is_slowed_down_from_every_place(office: Office) -> None:
    _, secret, _ = await with_second_factor(office)

    async def outcome(place: int, code: str) -> str:
        credentials = SignIn("anna", PASSWORD, code)
        try:
            await office.access.sign_in(credentials, f"10.0.0.{place}")
        except CallctlError as error:
            return error.code
        return "signed_in"

    outcomes = [await outcome(place, "000000") for place in range(6)]
    assert outcomes == ["wrong_credentials"] * 5 + ["too_many_attempts"]
    assert await outcome(7, code_of(office, secret)) == "too_many_attempts"
    office.seconds[0] += 30
    assert await outcome(8, code_of(office, secret)) == "signed_in"


async def test_it_is_given_up_with_both_factors(office: Office) -> None:
    anna, secret, _ = await with_second_factor(office)
    path = "/profile/second-factor/disable"
    for body in (
        {"password": PASSWORD, "code": "000000"},
        {"password": "wrong", "code": code_of(office, secret)},
    ):
        assert (await office.ask("POST", path, body, who=anna))[0] == 422
    body = {"password": PASSWORD, "code": code_of(office, secret)}
    assert (await office.ask("POST", path, body, who=anna))[0] == 204
    assert (await sign_in(office, ""))[0] == 201
    assert await office.db.fetchval("select count(*) from recovery_codes") == 0


async def test_an_administrator_takes_a_lost_one_away(office: Office) -> None:
    anna, _, _ = await with_second_factor(office)
    assert (await office.ask("POST", f"{anna.path}/reset-second-factor"))[0] == 204
    assert (await sign_in(office, ""))[0] == 201
    # Whoever has the session can enrol anew, with the password.
    again = {"password": PASSWORD}
    assert (await office.ask("POST", "/profile/second-factor", again, who=anna))[0] == 201


async def test_the_console_asks_for_the_code(office: Office) -> None:
    _, secret, _ = await with_second_factor(office)
    headers = {"Origin": office.url, "Accept": "text/html"}
    url = f"{office.url}/sign-in"
    form = {"login": "anna", "password": PASSWORD}
    async with office.client.post(url, data=form, headers=headers) as response:
        text = await response.text()
        assert (response.status, "The code is missing." in text) == (401, True)
        assert 'name="code"' in text
    form["code"] = code_of(office, secret)
    async with office.client.post(
        url, data=form, headers=headers, allow_redirects=False
    ) as response:
        assert (response.status, response.headers["Location"]) == (303, "/")


async def test_no_secret_of_it_is_shown_again_or_logged(office: Office) -> None:
    anna, secret, codes = await with_second_factor(office)
    for path in (anna.path, "/audit", "/users"):
        text = str(await office.ask("GET", path))
        assert not any(hidden in text for hidden in (secret, *codes))
    stored = str(await office.db.fetch("select * from recovery_codes"))
    assert not any(code in stored for code in codes)
