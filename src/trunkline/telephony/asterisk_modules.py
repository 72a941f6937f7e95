"""The modules of Asterisk that a call needs, and nothing else: autoload would bring 300, among them ways in."""

from __future__ import annotations

from typing import Final

MODULES: Final = (
    # clock of the media, formats
    "res_timing_timerfd",
    "codec_ulaw",
    "codec_alaw",
    "codec_a_mu",
    "codec_resample",
    # where pjsip keeps what it was told
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_sorcery_astdb",
    # SIP
    "res_pjproject",
    "res_pjsip",
    "res_pjsip_authenticator_digest",
    "res_pjsip_caller_id",
    "res_pjsip_dlg_options",
    "res_pjsip_endpoint_identifier_ip",
    "res_pjsip_header_funcs",
    "res_pjsip_logger",
    "res_pjsip_nat",
    "res_pjsip_outbound_authenticator_digest",
    "res_pjsip_pubsub",
    "res_pjsip_rfc3326",
    "res_pjsip_sdp_rtp",
    "res_pjsip_session",
    "chan_pjsip",
    # a trunk: who may ask at all, and one we have to register with
    "res_pjsip_acl",
    "res_pjsip_outbound_registration",
    # RTP, plain and encrypted
    "res_rtp_asterisk",
    "res_srtp",
    # control
    "res_http_websocket",
    "res_websocket_client",
    "app_stasis",
    "res_stasis",
    "res_stasis_answer",
    "res_stasis_playback",
    "res_stasis_recording",
    "res_stasis_snoop",
    "res_ari",
    "res_ari_applications",
    "res_ari_asterisk",
    "res_ari_channels",
    "res_ari_events",
    "res_ari_model",
    # media to us
    "res_audiosocket",
    "app_audiosocket",
    # a transfer: two channels in touch, or the carrier asked to do it
    "bridge_simple",
    "res_ari_bridges",
    "app_dial",
    "app_transfer",
    "res_pjsip_refer",
    # dialplan
    "pbx_config",
    "app_senddtmf",
    "app_stack",
    "app_userevent",
    "func_callerid",
    "func_channel",
    "func_hangupcause",
    "func_uri",
)

NEWER: Final = frozenset({"res_websocket_client"})
"""Those an older Asterisk has not and does not need (res_ari wants it since 20.16 and 22.6)."""

SECURE: Final = frozenset({"res_srtp"})
"""What `trunk.secure` takes. An Asterisk built without libsrtp has it not."""

REQUIRED: Final = frozenset(MODULES) - NEWER - SECURE
