"""An Elastic SIP Trunk at Twilio: what is wanted, what is there, and the steps from one to the other."""
