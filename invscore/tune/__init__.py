"""Options chosen on validation images, which are never the images that methods are judged on."""
