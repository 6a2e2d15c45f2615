"""How ExpressRoute lives: the sessions of circuit links, their routes, and what breaks them."""
