"""Every event arrives, in its call's order, however the receiver fails and whatever dies."""

import asyncio
import time
from datetime import timedelta

import pytest

from callctl.core.signature import verify

from .conftest import Post
from .receiver import Got, receiving


async def test_an_event_arrives_signed_and_as_the_stream_shows_it(post: Post) -> None:
    made = await post.create()
    async with post.at_work():
        await post.write(1)
        await post.accepted([1])
    (got,) = post.receiver.got
    headers = got.headers
    assert headers["Callctl-Event"] == "call.ended"
    assert headers["Callctl-Delivery"] == f"{made['webhook']['id']}-{got.json['id']}"
    assert set(got.json) == {"id", "kind", "subject", "created_at", "data"}
    stamp, signature = headers["Callctl-Timestamp"], headers["Callctl-Signature"]
    assert verify(made["secret"], stamp, signature, got.body, time.time())
    assert not verify("whsec_wrong", stamp, signature, got.body, time.time())


async def test_after_a_rotation_both_secrets_sign_for_a_day(post: Post) -> None:
    made = await post.create()
    path = f"/api/v1/webhooks/{made['webhook']['id']}"
    status, rotated = await post.api.ask("POST", f"{path}/rotate-secret")
    assert status == 200
    assert rotated["secret"] != made["secret"]
    async with post.at_work():
        await post.write(1)
        await post.accepted([1])
        await post.db.execute("update webhooks set old_secret_until = now()")
        await post.write(2)
        await post.accepted([1, 2])

    def good(got: Got, secret: str) -> bool:
        headers = got.headers
        return verify(
            secret, headers["Callctl-Timestamp"], headers["Callctl-Signature"], got.body,
            time.time(),
        )  # fmt: skip

    both, new_only = post.receiver.got
    assert good(both, made["secret"])
    assert good(both, rotated["secret"])
    assert good(new_only, rotated["secret"])
    assert not good(new_only, made["secret"])


@pytest.mark.parametrize("fault", ["500", "404", "hang", "reset", "redirect"])
async def test_what_fails_is_tried_again_until_it_arrives(post: Post, fault: str) -> None:
    made = await post.create()
    post.receiver.fault = lambda got: fault if len(post.receiver.got) < 3 else ""
    async with post.at_work(timeout_seconds=0.2):
        await post.write(1)
        await post.accepted([1])

        async def written() -> bool:
            (one,) = await post.deliveries(made["webhook"]["id"])
            return bool(one["state"] == "delivered")

        await post.until(written, "it is written down")
    (one,) = await post.deliveries(made["webhook"]["id"])
    assert (one["attempts"], one["status"], one["response"]) == (3, 200, "thanks")
    assert len({got.headers["Callctl-Delivery"] for got in post.receiver.got}) == 1
    assert post.receiver.redirected == 0


async def test_an_answer_that_never_ends_is_not_waited_for(post: Post) -> None:
    made = await post.create()
    post.receiver.fault = lambda got: "slow"
    async with post.at_work(timeout_seconds=60.0):
        await post.write(1)

        async def written() -> bool:
            found = await post.deliveries(made["webhook"]["id"])
            return [d["state"] for d in found] == ["delivered"]

        await post.until(written, "it is written down")


async def test_events_of_a_failing_call_wait_in_order_and_others_go_on(post: Post) -> None:
    await post.create()
    broken = True

    def fault(got: Got) -> str:
        return "503" if broken and got.json["subject"] == "call:bad" else ""

    post.receiver.fault = fault
    async with post.at_work():
        await post.write(1, 2, 3, subject="call:bad")
        await post.write(10, 11)

        async def others() -> bool:
            return sorted(post.receiver.numbers) == [10, 11]

        await post.until(others, "the others arrive")
        assert {got.json["data"]["n"] for got in post.receiver.got} == {1, 10, 11}
        broken = False

        async def all_there() -> bool:
            return len(post.receiver.accepted) == 5

        await post.until(all_there, "all arrive")
    assert [n for n in post.receiver.numbers if n < 10] == [1, 2, 3]


async def test_a_receiver_that_hangs_holds_up_no_other(post: Post) -> None:
    await post.create()
    async with receiving() as slow:
        slow.fault = lambda got: "hang"
        await post.create(slow.url)
        async with post.at_work(timeout_seconds=30.0):
            await post.write(*range(30))

            async def there() -> bool:
                return sorted(post.receiver.numbers) == list(range(30))

            await post.until(there, "all arrive at the good one")
        assert len(slow.got) == 4


async def test_what_was_under_way_at_a_crash_is_sent_again_with_the_same_id(post: Post) -> None:
    await post.create()
    post.receiver.fault = lambda got: "hang"
    async with post.at_work(timeout_seconds=30.0):
        await post.write(1)

        async def under_way() -> bool:
            return len(post.receiver.got) == 1

        await post.until(under_way, "it is under way")
    post.receiver.fault = lambda got: ""
    await post.db.execute("update webhook_deliveries set next_at = now()")  # the lease is over
    async with post.at_work():
        await post.accepted([1])
    first, second = (got.headers["Callctl-Delivery"] for got in post.receiver.got)
    assert first == second


async def test_events_written_while_callctl_was_down_arrive_and_none_twice(post: Post) -> None:
    await post.create()
    async with post.at_work():
        await post.write(1)
        await post.accepted([1])
    await post.write(2)
    await post.write(3)
    async with post.at_work():
        async with post.at_work():  # a second daemon on the same database

            async def there() -> bool:
                return sorted(post.receiver.numbers) == [1, 2, 3]

            await post.until(there, "all arrive")
            await asyncio.gather(*(post.write(n) for n in (4, 5, 6)))

            async def rest() -> bool:
                return sorted(post.receiver.numbers) == [1, 2, 3, 4, 5, 6]

            await post.until(rest, "the rest arrives")


async def test_after_days_an_event_is_given_up_and_the_next_goes_on(post: Post) -> None:
    made = await post.create()
    post.receiver.fault = lambda got: "500" if got.json["data"]["n"] == 1 else ""
    async with post.at_work(give_up=timedelta(seconds=0.2)):
        await post.write(1, 2, subject="call:1")
        await post.accepted([2])
    failed = await post.deliveries(made["webhook"]["id"], "?state=failed")
    assert [(d["error"], d["response"]) for d in failed] == [("answered 500", "no\ufffdt now")]


async def test_after_a_long_failure_it_is_paused_with_a_notice_and_goes_on_when_told(
    post: Post,
) -> None:
    made = await post.create()
    path = f"/api/v1/webhooks/{made['webhook']['id']}"
    post.receiver.fault = lambda got: "500"
    async with post.at_work(pause_after=timedelta(0)):
        await post.write(1)

        async def paused() -> bool:
            return (await post.api.ask("GET", path))[1]["paused_at"] is not None

        await post.until(paused, "it is paused")
        _, hook = await post.api.ask("GET", path)
        assert (hook["active"], hook["waiting"]) == (False, 1)
        assert "answered 500" in hook["paused_reason"]
        _, notices = await post.api.ask("GET", "/api/v1/notices?open=true")
        assert [n["kind"] for n in notices["items"]] == ["webhook_paused"]
        post.receiver.fault = lambda got: ""
        status, hook = await post.api.ask("PATCH", path, {"active": True})
        assert (status, hook["active"], hook["paused_at"]) == (200, True, None)
        await post.accepted([1])


async def test_the_answer_is_read_and_kept_only_in_part(post: Post) -> None:
    made = await post.create(post.receiver.url + "?large=1")
    async with post.at_work():
        await post.write(1)
        await post.accepted([1])

        async def written() -> bool:
            (one,) = await post.deliveries(made["webhook"]["id"])
            return bool(one["state"] == "delivered")

        await post.until(written, "it is written down")
    (one,) = await post.deliveries(made["webhook"]["id"])
    assert one["response"] == "x" * 500


async def test_replays_carry_the_same_id_and_come_in_order(post: Post) -> None:
    made = await post.create()
    path = f"/api/v1/webhooks/{made['webhook']['id']}"
    async with post.at_work():
        await post.write(1, 2, subject="call:1")
        await post.accepted([1, 2])

        async def over() -> bool:
            return (await post.api.ask("GET", path))[1]["waiting"] == 0

        await post.until(over, "nothing waits")
        newest, oldest = await post.deliveries(made["webhook"]["id"])
        _, done = await post.api.ask("POST", f"{path}/replay", {"delivery": oldest["id"]})
        assert done == {"events": 1}
        await post.accepted([1, 2, 1])
        _, done = await post.api.ask(
            "POST", f"{path}/replay", {"since": newest["created_at"][:10] + "T00:00:00Z"}
        )
        assert done == {"events": 2}
        await post.accepted([1, 2, 1, 1, 2])
    ids = [got.headers["Callctl-Delivery"] for got in post.receiver.got]
    assert ids[0] == ids[2] == ids[3]
    status, _ = await post.api.ask("POST", f"{path}/replay", {})
    assert status == 422
