"""SIP (RFC 3261): messages, transactions, digest, SDP, a caller; all pure but the wires around them: UDP, TCP, TLS."""
