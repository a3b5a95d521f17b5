# Benches: floor servers and load generators (C), one script per figure.
