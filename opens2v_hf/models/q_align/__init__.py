"""Q-Align, a vision-language model that rates pictures and videos on five levels: the network of MotionSmoothness."""
