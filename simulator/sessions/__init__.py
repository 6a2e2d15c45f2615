"""Routing sessions between two neighbours: BFD, BGP, and the routes that hang on them."""
