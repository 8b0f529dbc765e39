"""The leaderboard: what the results dataset and the Hub hold, as rows, rank groups, pages and plots."""
