"""IPsec as several components need it: what a tunnel adds to a plan, and how it lives."""
