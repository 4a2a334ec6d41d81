"""The console: pages for people, rendered on the server, with the API's services behind them."""
