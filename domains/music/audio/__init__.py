"""The audio side of the music domain: decoding, features, genre and nearest tracks."""
