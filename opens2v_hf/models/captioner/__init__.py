"""Models that say what a clip shows, and answer questions about a text: local ones and endpoints."""
