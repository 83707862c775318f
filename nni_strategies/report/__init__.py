"""What an experiment found: records, one self-contained HTML page, best.json and best.py."""
