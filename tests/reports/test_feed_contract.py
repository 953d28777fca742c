"""What every feed promises, held against a real other end: a file, an HTTP server, an SMTP server."""

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from reports.feeds import catalogue
from reports.feeds.feed import Feed, FeedEvent, Later, Refused


@dataclass
class Bench:
    """A feed and its other end: what arrived there (the feed's own identities), and how to make it away, back, and unwilling."""

    feed: Feed
    arrived: Callable[[], list[str]]
    identity: Callable[[FeedEvent], str]
    away: Callable[[], None]
    back: Callable[[], None]
    refuse: Callable[[], None]
    texts: Callable[[], str]


def now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


def render(event: FeedEvent, language: str) -> tuple[str, str]:
    return f"[{event.event}] {event.identity.element}", f"{event.summary.text}\n{language}\n"


def opened(kind: str, **options: object) -> Feed:
    module = catalogue.load(kind)
    return module.open(kind, msgspec.convert(options, module.Options), now=now, render=render)


def memory_bench(tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    feed = opened("memory")
    nothing = lambda: None  # noqa: E731
    return Bench(
        feed,
        lambda: [event.id for event in feed.events],
        lambda event: event.id,
        nothing,
        nothing,
        nothing,
        lambda: "".join(event.summary.text for event in feed.events),
    )


def jsonl_bench(tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    path = tmp_path / "out" / "cases.jsonl"
    path.parent.mkdir()

    def lines() -> list[dict]:
        return [json.loads(line) for line in path.read_text().splitlines()]

    return Bench(
        opened("jsonl", path=str(path)),
        lambda: [f"{line['agent']}/{line['case']}/{line['number']}" for line in lines()],
        lambda event: event.id,
        lambda: shutil.rmtree(path.parent),
        path.parent.mkdir,
        lambda: None,
        lambda: "".join(line["summary"]["text"] for line in lines()),
    )


def webhook_bench(tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    sink = request.getfixturevalue("http_sink")
    return Bench(
        opened("webhook", url=sink.url, timeout_s=0.5),
        lambda: [json.loads(body)["id"] for _, body in sink.got],
        lambda event: event.id,
        lambda: sink.answers.append("reset"),
        sink.answers.clear,
        lambda: sink.answers.append(403),
        lambda: "".join(json.loads(body)["data"]["summary"]["text"] for _, body in sink.got),
    )


def mail_bench(tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    from reports.feeds.mail import message_id

    sink, port = request.getfixturevalue("smtp_sink")()
    return Bench(
        opened("mail", host="127.0.0.1", port=port, security="none", sender="firstline@op.example", recipients=["noc@op.example"]),
        lambda: [mail["Message-ID"] for _, mail in sink.got],
        lambda event: message_id(event, event.number, "op.example"),
        lambda: sink.data.append("451 try again later"),
        sink.data.clear,
        lambda: sink.data.append("554 not here"),
        lambda: "".join(mail.get_content() for _, mail in sink.got),
    )


BENCHES = {"memory": memory_bench, "jsonl": jsonl_bench, "webhook": webhook_bench, "mail": mail_bench}


@pytest.fixture(params=sorted(catalogue.FEEDS))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return BENCHES[request.param](tmp_path, request)


def deliver(bench: Bench, *events: FeedEvent) -> None:
    async def all_of_them() -> None:
        for event in events:
            await bench.feed.deliver(event)

    asyncio.run(all_of_them())


def test_every_event_of_a_case_arrives_in_order_with_its_identity(bench: Bench, making, tmp_path: Path) -> None:
    events = making.events(tmp_path)
    deliver(bench, *events)
    assert bench.arrived() == [bench.identity(event) for event in events]
    assert len(set(bench.arrived())) == 3


def test_a_repeat_is_recognisable(bench: Bench, making, tmp_path: Path) -> None:
    event = making.events(tmp_path)[0]
    deliver(bench, event, event)
    assert set(bench.arrived()) == {bench.identity(event)}


def test_the_texts_arrive_in_every_script(bench: Bench, making, tmp_path: Path) -> None:
    deliver(bench, making.events(tmp_path)[0])
    assert "no answer – 没有应答" in bench.texts()


@pytest.mark.parametrize("text", ["two\r\nlines", "a" * 5000, '"quoted" \\ <b>', "nul \x00 bell \x07", "\u2028 separator", ".\r\n.\r\n"])
def test_odd_texts_do_not_break_out_of_their_place(bench: Bench, making, tmp_path: Path, text: str) -> None:
    first, second, _ = making.events(tmp_path)
    odd = msgspec.structs.replace(first, summary=msgspec.structs.replace(first.summary, text=text), affected=(text,))
    deliver(bench, odd, second)
    assert bench.arrived() == [bench.identity(first), bench.identity(second)]


@pytest.mark.parametrize("bench", ["jsonl", "mail", "webhook"], indirect=True)
def test_trouble_at_the_other_end_is_later_and_then_it_arrives(bench: Bench, making, tmp_path: Path) -> None:
    event = making.events(tmp_path)[0]
    bench.away()
    with pytest.raises(Later):
        deliver(bench, event)
    bench.back()
    deliver(bench, event)
    assert bench.arrived() == [bench.identity(event)]


@pytest.mark.parametrize("bench", ["mail", "webhook"], indirect=True)
def test_a_refusal_is_a_refusal_and_nothing_arrived(bench: Bench, making, tmp_path: Path) -> None:
    first, second, _ = making.events(tmp_path)
    bench.refuse()
    with pytest.raises(Refused):
        deliver(bench, first)
    deliver(bench, second)
    assert bench.arrived() == [bench.identity(second)]


def test_every_feed_of_the_catalogue_has_its_bench_and_strict_options(bench: Bench) -> None:
    module = catalogue.load(bench.feed.name)
    with pytest.raises(msgspec.ValidationError, match="unknown field `colour`"):
        msgspec.convert({"colour": "red"}, module.Options)


def test_the_dry_run_keeps_a_repeat_once_and_no_more_than_its_limit(making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reports.feeds import memory

    monkeypatch.setattr(memory, "MAX_EVENTS", 2)
    feed = opened("memory")
    first, second, third = making.events(tmp_path)
    for event in (first, first, second, third, third):
        asyncio.run(feed.deliver(event))
    assert feed.events == [second, third]
