"""The internal wire: one schema for both of its ends.

A request is decoded strictly, within the bounds that stand here. When it is sent, a field that the contract marks (ext)
is left out where it has nothing to say, so that a plain backend understands us.
"""
