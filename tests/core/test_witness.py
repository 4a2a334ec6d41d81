"""When a channel that AMI saw counts as lost by the journal, and when it must not."""

from callctl.core.checks.witness import JournalState, Witness, WitnessLimits

LIMITS = WitnessLimits(patience=10, quiet=60, settle=5, waiting=100, lost=50)


def channel(number: int) -> str:
    return f"pbx-1700000000.{number}"


def test_nothing_is_known_before_the_first_channel() -> None:
    assert Witness(LIMITS).judge(1000) is JournalState.UNKNOWN


def test_a_channel_that_is_read_in_time_is_well() -> None:
    witness = Witness(LIMITS)
    witness.channel_began(channel(1), 100)
    witness.rows_read([channel(1)])
    assert witness.judge(200) is JournalState.WELL
    assert witness.waiting == 0


def test_the_journal_may_be_quicker_than_the_manager_interface() -> None:
    witness = Witness(LIMITS)
    witness.rows_read([channel(1)])
    witness.channel_began(channel(1), 100)
    assert witness.judge(200) is JournalState.WELL
    assert witness.waiting == 0


def test_a_channel_is_lost_only_when_the_journal_was_read_to_its_end_long_after() -> None:
    witness = Witness(LIMITS)
    witness.channel_began(channel(1), 100)
    assert witness.judge(None) is JournalState.UNKNOWN
    assert witness.judge(110) is JournalState.UNKNOWN
    assert witness.judge(110.1) is JournalState.LOSING
    assert witness.lost == (channel(1),)


def test_a_reader_that_stands_still_proves_no_loss_and_what_it_reads_later_is_found() -> None:
    witness = Witness(LIMITS)
    for number in range(50):
        witness.channel_began(channel(number), 100 + number)
    assert witness.judge(105) is JournalState.UNKNOWN
    witness.rows_read([channel(number) for number in range(50)])
    assert witness.judge(5000) is JournalState.WELL


def test_a_row_that_comes_late_after_all_ends_the_alarm() -> None:
    witness = Witness(LIMITS)
    witness.channel_began(channel(1), 100)
    assert witness.judge(120) is JournalState.LOSING
    witness.rows_read([channel(1)])
    assert witness.judge(121) is JournalState.WELL


def test_losing_is_over_when_a_call_of_a_minute_later_is_found() -> None:
    witness = Witness(LIMITS)
    witness.channel_began(channel(1), 100)
    assert witness.judge(120) is JournalState.LOSING
    witness.channel_began(channel(2), 159)
    witness.rows_read([channel(2)])
    assert witness.judge(200) is JournalState.LOSING
    witness.channel_began(channel(3), 161)
    witness.rows_read([channel(3)])
    assert witness.judge(200) is JournalState.WELL
    assert witness.lost_in_all == 0


def test_silence_after_a_loss_is_no_recovery() -> None:
    witness = Witness(LIMITS)
    witness.channel_began(channel(1), 100)
    assert witness.judge(120) is JournalState.LOSING
    assert witness.judge(100_000) is JournalState.LOSING


def test_what_was_said_just_before_the_connection_was_lost_is_not_judged() -> None:
    witness = Witness(LIMITS)
    witness.channel_began(channel(1), 100)
    witness.channel_began(channel(2), 109)
    witness.connection_lost(110)
    assert witness.judge(1000) is JournalState.LOSING
    assert witness.lost == (channel(1),)


def test_memory_is_bounded_and_a_sample_of_the_whole_time_is_kept() -> None:
    witness = Witness(LIMITS)
    for number in range(10_000):
        witness.channel_began(channel(number), number)
        witness.rows_read([f"pbx-1700000001.{number}"])
    assert witness.waiting <= LIMITS.waiting
    assert len(witness._early) <= LIMITS.waiting
    assert witness.judge(20_000) is JournalState.LOSING
    assert 0 < len(witness.lost) <= LIMITS.lost
    assert int(witness.lost[0].rpartition(".")[2]) < 5000


def test_what_is_no_unique_id_is_not_waited_for() -> None:
    witness = Witness(LIMITS)
    for forged in ("", "x", "1700000000", "a b-1700000000.1", "1700000000.1 x", "9" * 300 + ".1"):
        witness.channel_began(forged, 100)
    assert witness.waiting == 0
