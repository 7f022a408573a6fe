"""Connections: named places where jobs live, behind one interface whatever keeps them."""
