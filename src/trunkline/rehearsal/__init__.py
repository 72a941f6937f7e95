"""A stand-in carrier with scripted people behind it: rehearse real calls over real SIP and RTP, measured at the ear."""

from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig, load_config
from trunkline.rehearsal.report import CallReport
from trunkline.rehearsal.scenario import Scenario, load_scenario
from trunkline.rehearsal.studio import Studio
from trunkline.rehearsal.termination import Cause

__all__ = [
    "CallReport",
    "CarrierConfig",
    "Cause",
    "Scenario",
    "StandInCarrier",
    "Studio",
    "load_config",
    "load_scenario",
]
