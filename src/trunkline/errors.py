"""Every error Trunkline raises on purpose, in one tree.

    TrunklineError
    ├── SettingsError          the operator's file or environment is wrong
    ├── RequestError           the caller of the API asked for something impossible
    │   ├── InvalidNumber
    │   │   └── EmergencyNumber
    │   ├── UnknownAgent
    │   ├── UnknownCall
    │   ├── CallEnded
    │   ├── CallLive           what is asked for has to wait for the call's end
    │   ├── WrongMoment        the call is in no state in which that can be done
    │   ├── NoRecording
    │   ├── CallerIdNotAllowed
    │   ├── CallerBlocked      an incoming call from somebody who is not let in
    │   ├── NotOnList
    │   └── DiallingRefused    the guards don't let that number be dialled
    │       ├── DiallingStopped
    │       ├── NumberTypeDenied
    │       ├── CountryNotAllowed
    │       ├── DoNotCall
    │       ├── ConsentMissing
    │       ├── OutsideCallingHours
    │       └── CalledTooOften, DailyCallsReached, SpendCapReached
    ├── NotReady               a part the call needs isn't there (yet)
    │   ├── TrunkNotConfigured
    │   ├── PbxUnavailable
    │   ├── N8nUnavailable
    │   ├── TooManyCalls
    │   └── SpeechUnavailable
    ├── ModelRefused           a speech model's file is not the published one
    ├── BrainError             the brain gave no usable answer
    ├── ToolFailed             a tool of a model found nothing; the model is told, never the person
    ├── MediaError             sound from elsewhere can't be had
    │   ├── AddressRefused     its address is one we don't fetch from
    │   ├── FetchFailed        its server gave no answer, a wrong one, too much of it, or too slowly
    │   └── NotAudio           what came can't be played: no audio, damaged, cut off, too long
    ├── CarrierError           the carrier's administration refused, or can't be reached
    ├── StoreError             the call store could not be read or written
    │   ├── RecordRefused      what it was given can't be kept, however often it is tried
    │   └── RecordingLocked    a recording is there but can't be decrypted
    └── ProtocolError          a peer broke AudioSocket, ARI, SIP or RTP

Each class carries a stable `code` (part of the HTTP API), whether trying again can help, and whose fault it is
as an HTTP status. The message is one sentence a user understands; `remedy` says what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class TrunklineError(Exception):
    """Root of the tree: `message` for people, `code` for programs, `remedy` for whoever can repair it."""

    code: ClassVar[str] = "internal_error"
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, remedy: str | None = None, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message


class SettingsError(TrunklineError):
    code = "settings_invalid"


class RequestError(TrunklineError):
    code = "request_invalid"
    http_status = 422


class InvalidNumber(RequestError):
    code = "invalid_number"


class EmergencyNumber(InvalidNumber):
    code = "emergency_number"
    http_status = 403


class UnknownAgent(RequestError):
    code = "unknown_agent"


class UnknownCall(RequestError):
    code = "unknown_call"
    http_status = 404


class CallEnded(RequestError):
    code = "call_ended"
    http_status = 409


class CallLive(RequestError):
    code = "call_live"
    http_status = 409


class WrongMoment(RequestError):
    code = "wrong_moment"
    http_status = 409


class NoRecording(RequestError):
    code = "no_recording"
    http_status = 404


class CallerIdNotAllowed(RequestError):
    code = "caller_id_not_allowed"


class CallerBlocked(RequestError):
    code = "caller_blocked"
    http_status = 403


class NotOnList(RequestError):
    code = "not_on_list"
    http_status = 404


class DiallingRefused(RequestError):
    code = "dialling_refused"
    http_status = 403


class DiallingStopped(DiallingRefused):
    code = "dialling_stopped"
    http_status = 503


class NumberTypeDenied(DiallingRefused):
    code = "number_type_denied"


class CountryNotAllowed(DiallingRefused):
    code = "country_not_allowed"


class DoNotCall(DiallingRefused):
    code = "do_not_call"


class ConsentMissing(DiallingRefused):
    code = "consent_missing"


class OutsideCallingHours(DiallingRefused):
    code = "outside_calling_hours"


class CalledTooOften(DiallingRefused):
    code = "called_too_often"
    http_status = 429


class DailyCallsReached(DiallingRefused):
    code = "daily_calls_reached"
    http_status = 429


class SpendCapReached(DiallingRefused):
    code = "spend_cap_reached"
    http_status = 429


class NotReady(TrunklineError):
    code = "not_ready"
    http_status = 503
    retryable = True


class TrunkNotConfigured(NotReady):
    code = "trunk_not_configured"
    retryable = False


class PbxUnavailable(NotReady):
    code = "pbx_unavailable"


class N8nUnavailable(NotReady):
    code = "n8n_unavailable"


class TooManyCalls(NotReady):
    code = "too_many_calls"


class SpeechUnavailable(NotReady):
    code = "speech_unavailable"


class ModelRefused(TrunklineError):
    code = "model_refused"


class BrainError(TrunklineError):
    code = "brain_failed"
    http_status = 502
    retryable = True


class ToolFailed(TrunklineError):
    code = "tool_failed"


class MediaError(TrunklineError):
    code = "media_failed"
    http_status = 502


class AddressRefused(MediaError):
    code = "address_refused"


class FetchFailed(MediaError):
    code = "fetch_failed"
    retryable = True


class NotAudio(MediaError):
    code = "not_audio"


class CarrierError(TrunklineError):
    code = "carrier_failed"
    http_status = 502


class StoreError(TrunklineError):
    code = "store_failed"
    http_status = 503
    retryable = True


class RecordRefused(StoreError):
    code = "record_refused"
    http_status = 500
    retryable = False


class RecordingLocked(StoreError):
    code = "recording_locked"
    http_status = 500
    retryable = False


class ProtocolError(TrunklineError):
    code = "protocol_error"
    http_status = 502
