"""Preprocessing of sequences, texts and images; manual, chapter 6. Nothing is imported until it is used."""
