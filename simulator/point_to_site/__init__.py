"""Point-to-site: what gateways offer to clients, whom they admit, and how clients come back."""
