from __future__ import annotations

from datetime import date, datetime, time

import pytest

from trunkline.brains.numbers import digit_words, digits, quantity
from trunkline.brains.slots import Slot, SlotValue, read_name

NOW = datetime(2026, 2, 9, 10)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("My name is Anna Lee.", "Anna Lee"),
        ("my name is anna lee", "Anna Lee"),
        ("It's Anna.", "Anna"),
        ("Yes, this is Anna Lee, hello.", "Anna Lee"),
        ("Anna Lee speaking", "Anna Lee"),
        ("Anna", "Anna"),
        ("uh, Anna, please", "Anna"),
        ("I'm Jean-Luc O'Neill", "Jean-Luc O'Neill"),
        ("I'm sorry, my name is José", "José"),
        ("Dr. Lee", "Dr Lee"),
    ],
)
def test_names(said: str, name: str) -> None:
    assert read_name(said) == name


@pytest.mark.parametrize("said", ["", "What?", "No.", "who are you", "I'm not sure", "1234", "hello"])
def test_what_is_no_name(said: str) -> None:
    assert read_name(said) is None


def test_unasked_a_name_needs_an_introduction() -> None:
    assert read_name("Anna", asked=False) is None
    assert read_name("My name is Anna", asked=False) == "Anna"
    assert read_name("this is bad", asked=False) is None


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("There will be twenty-five of us.", 25),
        ("two", 2),
        ("a couple", 2),
        ("a hundred and ten", 110),
        ("three hundred", 300),
        ("two thousand and five", 2005),
        ("1,250", 1250),
        ("just me", 1),
        ("none", 0),
        ("lots", None),
    ],
)
def test_numbers(said: str, number: int | None) -> None:
    assert quantity(said) == number


@pytest.mark.parametrize(
    ("said", "figures"),
    [
        ("four one five, double five, 0100", "415550100"),
        ("It's 415-555-0100.", "4155550100"),
        ("oh seven triple nine", "07999"),
        ("four for four", "444"),
        ("it's for you", ""),
        ("twenty one", "21"),
    ],
)
def test_digits(said: str, figures: str) -> None:
    assert digits(said) == figures


def test_digits_said_back_in_groups() -> None:
    assert digit_words("4155550100") == "four one five, five five five, zero one zero zero"


@pytest.mark.parametrize(
    ("slot", "keys", "value"),
    [
        (Slot(kind="digits"), "0415#", "0415"),
        (Slot(kind="number"), "12", 12),
        (Slot(kind="time"), "1530", time(15, 30)),
        (Slot(kind="time"), "9", time(9)),
        (Slot(kind="time"), "9999", None),
        (Slot(kind="day"), "12", None),
        (Slot(kind="number"), "*", None),
        (Slot(kind="number"), "#", None),
    ],
)
def test_typed_values(slot: Slot, keys: str, value: SlotValue | None) -> None:
    assert slot.typed(keys) == value


@pytest.mark.parametrize(
    ("slot", "value", "accepted"),
    [
        (Slot(kind="time", earliest=time(8), latest=time(17)), time(17), True),
        (Slot(kind="time", earliest=time(8), latest=time(17)), time(17, 1), False),
        (Slot(kind="time", earliest=time(8), latest=time(17)), time(7, 59), False),
        (Slot(kind="day"), date(2026, 2, 9), True),
        (Slot(kind="day"), date(2026, 2, 8), False),
        (Slot(kind="day", only=("monday",)), date(2026, 2, 16), True),
        (Slot(kind="day", only=("monday",)), date(2026, 2, 17), False),
        (Slot(kind="number", least=1, most=8), 9, False),
        (Slot(kind="number", least=1, most=8), 0, False),
        (Slot(kind="digits", least=6, most=6), "123456", True),
        (Slot(kind="digits", least=6, most=6), "12345", False),
        (Slot(kind="name"), "Anna", True),
    ],
)
def test_limits(slot: Slot, value: SlotValue, accepted: bool) -> None:
    assert slot.accepts(value, NOW.date()) is accepted


@pytest.mark.parametrize(
    ("slot", "value", "words"),
    [
        (Slot(kind="day"), date(2026, 2, 12), "Thursday the twelfth"),
        (Slot(kind="time"), time(15, 30), "half past three"),
        (Slot(kind="number"), 25, "25"),
        (Slot(kind="digits"), "123", "one two three"),
        (Slot(kind="name"), "Anna", "Anna"),
    ],
)
def test_values_said_back(slot: Slot, value: SlotValue, words: str) -> None:
    assert slot.spoken(value, NOW.date()) == words


def test_free_text_is_taken_only_when_asked_for() -> None:
    slot = Slot(kind="text")
    assert slot.read(" Tell her I'm late. ", NOW, asked=True) == "Tell her I'm late."
    assert slot.read("Tell her I'm late.", NOW, asked=False) is None
