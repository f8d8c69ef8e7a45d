"""Tables, leaderboard, figures: pure functions of a results folder."""
