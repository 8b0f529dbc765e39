"""What makes a submission acceptable; nothing in it is believed because it is written there."""
