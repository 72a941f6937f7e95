"""Who may be dialled: the guards of outgoing calls and transfers."""
