"""Transcripts as recognisers write them, misheard ones included, and whether a person would wait for more."""

from __future__ import annotations

import pytest

from trunkline.conversation.completeness import Asked, Completeness, completeness, what_was_asked

COMPLETE, OPEN, WHOLE = Completeness.COMPLETE, Completeness.OPEN, Completeness.WHOLE
DICTATING, UNKNOWN = Completeness.DICTATING, Completeness.UNKNOWN

ANSWERS = [
    ("Yes.", WHOLE),
    ("yes", WHOLE),
    ("Yeah.", WHOLE),
    ("No,", WHOLE),
    ("No thanks.", WHOLE),
    ("no thank you", WHOLE),
    ("Yes, please.", WHOLE),
    ("Yes, it is.", WHOLE),
    ("no i haven't", UNKNOWN),
    ("Not really.", WHOLE),
    ("No, never.", WHOLE),
    ("Yes, please do.", WHOLE),
    ("Oh yes, sure.", WHOLE),
    ("I don't think so.", WHOLE),
    ("I'm not sure.", WHOLE),
    ("Okay, that sounds good.", WHOLE),
    ("sure that works for me", WHOLE),
    ("That would be perfect.", WHOLE),
    ("No, that's all, thank you.", WHOLE),
    ("No, that's it.", WHOLE),
    ("Goodbye.", WHOLE),
    ("Good-by,", WHOLE),
    ("thank you bye bye", WHOLE),
    ("Absolutely, see you then.", WHOLE),
    ("I want to speak to a person, please.", WHOLE),
    ("Sure, no problem.", WHOLE),
    ("Who is this?", WHOLE),
]

SENTENCES = [
    ("I'd like to move my appointment to Friday.", COMPLETE),
    ("My internet is down again.", COMPLETE),
    ("Do you still have rooms for the weekend?", COMPLETE),
    ("I don't know whether I should come in.", COMPLETE),
    ("Tomorrow at half-past nine, if you can.", COMPLETE),
    ("Any day after the 20th, I think.", COMPLETE),
    ("I don't want that.", COMPLETE),
    ("I just want to know how much it costs.", COMPLETE),
    ("My daughter have a fever end.", OPEN),  # "fever and", misheard
    ("The road comes to an end.", COMPLETE),
    ("I'll see you at the weekend.", COMPLETE),
    ("i have a caller waiting who introduces themselves as victor", UNKNOWN),
    ("my internet is down again", UNKNOWN),
    ("Maple Street", UNKNOWN),
    ("What is it for?", COMPLETE),
    ("I want to return.", OPEN),
    ("Could somebody check?", OPEN),
    ("So I ordered.", OPEN),
    ("Here is the one I ordered.", COMPLETE),
    ("What did you order?", COMPLETE),
    ("I didn't order.", COMPLETE),
    ("One more thing.", OPEN),
    ("Let me just check my calendar.", OPEN),
    ("Hang on, I need my glasses.", OPEN),
    ("Please let me know tomorrow.", COMPLETE),
    ("To be honest, it's a bit embarrassing.", COMPLETE),
    ("To be honest.", OPEN),
    ("I have a question.", OPEN),
    ("I have a question about my order.", COMPLETE),
    ("To leave the conference.", OPEN),
    ("If I can't come.", OPEN),
    ("To remove the participant, who joined the conference.", OPEN),
    ("When I come home.", UNKNOWN),
    ("To leave the conference, please try again.", COMPLETE),
    ("How do you do?", COMPLETE),
    ("", UNKNOWN),
    ("  ...", UNKNOWN),
    ("Ich möchte den Termin verschieben", UNKNOWN),
]

UNFINISHED = [
    ("I'd like to.", OPEN),
    ("I would like to", OPEN),
    ("I would like", OPEN),
    ("I'd like to, um.", OPEN),
    ("um", OPEN),
    ("Well,", OPEN),
    ("Well, the thing is", OPEN),
    ("I'm calling about.", OPEN),
    ("I was wondering whether.", OPEN),
    ("I was wondering whether you could send someone to.", OPEN),
    ("My daughter has a fever and.", OPEN),
    ("It's because,", OPEN),
    ("I think so, but.", OPEN),
    ("No, I'm sorry, I have to.", OPEN),
    ("No, I'm sorry I have two.", OPEN),  # "have to", misheard
    ("Let me see.", OPEN),
    ("Let me just check", OPEN),
    ("One moment.", OPEN),
    ("Maybe the", OPEN),
    ("Maybe that.", OPEN),  # "maybe the", misheard
    ("Either Monday or.", OPEN),
    ("Any day after.", OPEN),
    ("Tomorrow at half-past", OPEN),
    ("Tomorrow at half pass.", OPEN),
    ("at a quarter to", OPEN),
    ("Could you tell me?", OPEN),
    ("The second of.", OPEN),
    ("It's for my", OPEN),
    ("I think", OPEN),
    ("so basically", OPEN),
    ("At the sound of the tone, the time will be exactly.", OPEN),
    ("Sure, it's...", OPEN),
    ("What I wanted to ask is", OPEN),
    ("I got a letter saying that", OPEN),
    ("the letter was from", OPEN),
    ("Actually, could you", OPEN),
    ("One moment, please.", OPEN),
    ("June.", OPEN),
    ("There will be six of us end.", OPEN),  # "and", misheard
    ("Between two end.", OPEN),
    ("The estimated hold time is currently.", OPEN),
    ("You are currently caller number.", OPEN),
]

DICTATED = [
    ("My number is.", OPEN),
    ("Telephone number.", OPEN),
    ("The number I have in.", OPEN),  # "have is", misheard
    ("Sure, it's", OPEN),
    ("Yes, it is", OPEN),
    ("Okay.", OPEN),
    ("four one five", DICTATING),
    ("Four, one, five,", DICTATING),
    ("It's for one five.", DICTATING),  # "four one five", misheard
    ("My number is 415.", DICTATING),
    ("my number is four one five five five five", DICTATING),
    ("415-555", DICTATING),
    ("It's 415-555-01", DICTATING),
    ("It's 415-555-0198", WHOLE),
    ("4, 1, 5, 5, 5, 5, 0, 1, 9, 8", WHOLE),
    ("four one five double five five oh one nine eight", WHOLE),
    ("415 triple five 0198", WHOLE),
    ("Two one two five five five o one nine nine.", WHOLE),
    ("one four one five five five five oh one nine eight", WHOLE),
    ("+44 20 7946 0958", WHOLE),
    ("The number I have is 3125550164", WHOLE),
    ("It's seven seven two, nine oh four", DICTATING),
    ("account number is three eight", DICTATING),
    ("My home number", OPEN),
    ("4-1-5-5-5 5-5-0-198", WHOLE),  # one digit heard twice
    ("415-555-0198, thank you.", WHOLE),
    ("I don't have it with me.", COMPLETE),
    ("No.", WHOLE),
    ("It's in for left.", DICTATING),  # misheard: nothing that was asked for is in it
    ("Why do you need that?", COMPLETE),
]

SPELLED = [
    ("M. I.", DICTATING),
    ("M-I", DICTATING),
    ("M. I. Double L.", DICTATING),
    ("It's B, R, A..", DICTATING),
    ("It's BRA.", DICTATING),  # letters, written as a word
    ("B as in Bravo", DICTATING),
    ("Bravo, Oscar.", DICTATING),
    ("Bravo. Oscar. Whiskey. Echo.", DICTATING),
    ("H-A-R-T, that's it.", WHOLE),
    ("j dot parker", DICTATING),
    ("info at", DICTATING),
    ("info@", DICTATING),
    ("john at gmail", DICTATING),
    ("It's info at example dot org.", WHOLE),
    ("j.parker@example.com", WHOLE),
    ("I can't spell it.", COMPLETE),
]

TIMES = [
    ("Tuesday,", COMPLETE),  # the recogniser heard that it goes on
    ("Tuesday at three p.m.", WHOLE),
    ("tuesday at 3pm", WHOLE),
    ("Tomorrow at 9.30am.", WHOLE),
    ("at three", WHOLE),
    ("tomorrow at nine thirty", WHOLE),
    ("ten o'clock", WHOLE),
    ("Either Monday or Wednesday morning", WHOLE),
    ("next Thursday", WHOLE),
    ("the 15th of March", WHOLE),
    ("March twentieth", WHOLE),
    ("the second of May, nineteen eighty four", WHOLE),
    ("November 11th, 1970", WHOLE),
    ("Tuesday at.", OPEN),
    ("Thursday", WHOLE),
    ("Tomorrow.", WHOLE),
    ("it closed on a Thursday", UNKNOWN),
    ("Four.", WHOLE),
    ("between ten and", OPEN),
    ("There will be six of us and,", OPEN),
    ("It costs $20", UNKNOWN),
]


@pytest.mark.parametrize(("said", "verdict"), ANSWERS + SENTENCES + UNFINISHED)
def test_free_answers(said: str, verdict: Completeness) -> None:
    assert completeness(said, Asked.FREE) is verdict


@pytest.mark.parametrize(("said", "verdict"), [pair for pair in ANSWERS + UNFINISHED if pair[1] is not UNKNOWN])
def test_answers_to_yes_or_no_and_to_nothing_sound_the_same(said: str, verdict: Completeness) -> None:
    assert completeness(said, Asked.YES_NO) is verdict
    assert completeness(said) is verdict


@pytest.mark.parametrize(("said", "verdict"), DICTATED)
def test_phone_numbers(said: str, verdict: Completeness) -> None:
    assert completeness(said, Asked.PHONE) is verdict


@pytest.mark.parametrize("said", ["seven seven two, nine oh four, one eight", "415 555 0198", "12 34 56 78 90 12"])
def test_the_length_of_other_numbers_is_unknown(said: str) -> None:
    assert completeness(said, Asked.NUMBER) is DICTATING
    assert completeness(f"{said}, that's it.", Asked.NUMBER) is WHOLE
    assert completeness(f"My account number is {said}", Asked.FREE) is DICTATING


@pytest.mark.parametrize(("said", "verdict"), SPELLED)
def test_spelling(said: str, verdict: Completeness) -> None:
    assert completeness(said, Asked.SPELLING) is verdict


@pytest.mark.parametrize(("said", "verdict"), TIMES)
def test_times_and_dates(said: str, verdict: Completeness) -> None:
    assert completeness(said, Asked.FREE) is verdict


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("my number is four one five", DICTATING),
        ("you can reach me at 415-555", DICTATING),
        ("four one five", DICTATING),
        ("it's 1 2 3 4", DICTATING),
        ("M-I-L-L", DICTATING),
        ("with B as in Bravo", DICTATING),
        ("I was born in 1984", UNKNOWN),
        ("there are 12 of us", UNKNOWN),
        ("2024", UNKNOWN),
    ],
)
def test_dictation_nobody_asked_for_is_noticed(said: str, verdict: Completeness) -> None:
    found = completeness(said, Asked.FREE)
    assert found is verdict or (verdict is UNKNOWN and found is not DICTATING)


@pytest.mark.parametrize("said", ["No.", "No, that's it.", "No, that's all.", "Yes, could you repeat that?"])
def test_an_offer_is_declined_or_taken(said: str) -> None:
    assert completeness(said, Asked.OFFER) is WHOLE


@pytest.mark.parametrize("said", ["Yes.", "yeah", "Sure.", "Okay.", "Hello?"])
def test_what_is_no_answer_to_an_open_question_is_only_its_beginning(said: str) -> None:
    assert completeness(said, Asked.OFFER) is OPEN
    assert completeness(said, Asked.YES_NO) is WHOLE


@pytest.mark.parametrize(
    ("agent", "asked"),
    [
        ("What is your phone number?", Asked.PHONE),
        ("Thanks. Which number can we reach you on?", Asked.PHONE),
        ("What's the best number to call you back?", Asked.PHONE),
        ("Can you give me your account number?", Asked.NUMBER),
        ("What is your telephone number?", Asked.PHONE),
        ("And your customer number, please?", Asked.NUMBER),
        ("What is the reference number on your letter?", Asked.NUMBER),
        ("What's your postcode?", Asked.NUMBER),
        ("Could you tell me the code on the letter?", Asked.NUMBER),
        ("Could you spell your last name for me?", Asked.SPELLING),
        ("What's your email address?", Asked.SPELLING),
        ("Does Tuesday at three work for you?", Asked.YES_NO),
        ("Good morning. Is this a good time to talk?", Asked.YES_NO),
        ("Shall I put you down for ten o'clock?", Asked.YES_NO),
        ("That's ten o'clock, right?", Asked.YES_NO),
        ("Anything else I can help you with?", Asked.OFFER),
        ("Is there anything else?", Asked.OFFER),
        ("What can I do for you?", Asked.OFFER),
        ("Hello, how can I help?", Asked.OFFER),
        ("How many people will come?", Asked.FREE),
        ("Which day would suit you?", Asked.FREE),
        ("Could I have your name?", Asked.FREE),
        ("What's your date of birth?", Asked.BIRTH_DATE),
        ("And when were you born?", Asked.BIRTH_DATE),
        ("Thank you for calling.", Asked.UNKNOWN),
        ("", Asked.UNKNOWN),
    ],
)
def test_what_the_agent_asked(agent: str, asked: Asked) -> None:
    assert what_was_asked(agent) is asked


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("November 11th.", DICTATING),
        ("November eleventh", DICTATING),
        ("the second of", OPEN),
        ("the second of May", DICTATING),
        ("the thirtieth", DICTATING),
        ("The 2nd of May, 1984.", WHOLE),
        ("november eleventh nineteen seventy", WHOLE),
        ("August 19th, 96.", WHOLE),
        ("the second of may seventy two", WHOLE),
        ("11/5/1984", WHOLE),
        ("I won't tell you that.", COMPLETE),
    ],
)
def test_a_date_of_birth_has_a_year(said: str, verdict: Completeness) -> None:
    assert completeness(said, Asked.BIRTH_DATE) is verdict


def test_case_and_quotes_do_not_matter() -> None:
    assert completeness("IT’S BECAUSE") is completeness("it's because") is OPEN
