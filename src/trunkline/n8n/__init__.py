"""A private n8n: fetched into the cache, run with a folder of its own, given workflows; and a look at anybody's n8n as
a call would use it. The brain that talks to an n8n (`trunkline.brains.n8n`) needs none of this.
"""
