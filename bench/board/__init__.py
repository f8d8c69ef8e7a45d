"""The leaderboard: rows, columns, ranks, text forms, and the site."""
