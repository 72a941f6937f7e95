"""SIP over UDP (RFC 3261): messages, transactions, digest, SDP a caller; all pure but the socket around them."""
