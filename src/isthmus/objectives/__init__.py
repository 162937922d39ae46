"""What training minimises: per-sample terms, never reduced over samples here."""
