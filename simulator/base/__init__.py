"""Ground floor: units, errors, random keys, registries and schema fields."""
