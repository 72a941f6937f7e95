"""A stand-in carrier with scripted people behind it: rehearse real calls over real SIP and RTP, measured at the ear."""
