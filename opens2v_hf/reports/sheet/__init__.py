"""One sheet that shows a sample of OpenS2V-5M."""
