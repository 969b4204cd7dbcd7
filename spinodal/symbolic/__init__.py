"""The derivation: replica algebra, channels, free entropy, stationarity. SymPy lives here."""
