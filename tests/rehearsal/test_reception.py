from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trunkline.rehearsal.reception import Reception
from trunkline.rehearsal.rtp import RtpPacket


def packet(number: int, *, ssrc: int = 1, payload_type: int = 0) -> RtpPacket:
    timestamp = number * 160 % 2**32
    return RtpPacket(payload_type, False, (65530 + number) % 65536, timestamp, ssrc, bytes(160))


def received(*rows: tuple[float, RtpPacket]) -> Reception:
    reception = Reception()
    for at, row in rows:
        reception.packet(at, row)
    return reception


def test_a_clean_stream_has_nothing_to_report() -> None:
    summary = received(*[(n * 0.02, packet(n)) for n in range(50)]).summary()
    assert (summary.packets, summary.lost, summary.reordered, summary.gaps, summary.early) == (50, 0, 0, 0, 0)
    assert summary.jitter_ms == 0
    assert summary.longest_gap_ms == 20


@given(st.sets(st.integers(1, 98), max_size=60))
def test_losses_are_counted_across_the_wrap(missing: set[int]) -> None:
    rows = [(n * 0.02, packet(n)) for n in range(100) if n not in missing]
    assert received(*rows).summary().lost == len(missing)


@given(st.permutations(range(1, 12)))
def test_reordering_is_no_loss(order: list[int]) -> None:
    rows = [(n * 0.02, packet(number)) for n, number in enumerate([0, *order])]
    summary = received(*rows).summary()
    assert (summary.lost, summary.packets, summary.duplicated) == (0, 12, 0)
    highest, late = 0, 0
    for number in order:
        late += number < highest
        highest = max(highest, number)
    assert summary.reordered == late


def test_a_duplicate_is_counted_and_not_kept() -> None:
    reception = received((0.0, packet(0)), (0.02, packet(1)), (0.021, packet(1)), (0.04, packet(2)))
    assert reception.summary().duplicated == 1
    assert reception.log.sequence.tolist() == [65530, 65531, 65532]


def test_gaps_and_bursts_are_counted() -> None:
    summary = received((0.0, packet(0)), (0.0999, packet(1)), (0.101, packet(2)), (0.12, packet(3))).summary()
    assert (summary.gaps, summary.early, summary.longest_gap_ms) == (1, 1, 99.9)


def test_a_new_source_begins_a_new_count() -> None:
    summary = received(
        (0.0, packet(0)), (0.02, packet(1)), (0.04, packet(9000, ssrc=2)), (0.06, packet(9002, ssrc=2))
    ).summary()
    assert (summary.sources, summary.lost, summary.packets) == (2, 1, 4)


def test_keys_share_the_numbering_but_are_no_audio() -> None:
    reception = Reception()
    reception.packet(0.0, packet(0))
    reception.packet(0.02, packet(1, payload_type=101), audio=False)
    reception.packet(0.04, packet(2))
    assert reception.summary().lost == 0
    assert len(reception.log.payloads) == 2


def test_jitter_is_what_rfc_3550_says() -> None:
    late = 0.008
    summary = received((0.0, packet(0)), (0.02 + late, packet(1)), (0.04 + late, packet(2))).summary()
    assert summary.jitter_ms == round(8 / 16 * 15 / 16, 1)
