"""Videos as sources of images: looked through once, read in order, a frame an image. Needs the extra `video`."""
