"""Looks at a set-up and says what is wrong with it and what to do; places no call that anybody could pay for."""
