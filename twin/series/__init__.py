"""Series of the fleet as a whole, frame by frame, from the frames of its satellites: on the host."""
