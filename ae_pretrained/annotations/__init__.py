"""Masks as annotation tools read them: labelme, CVAT, COCO. The way back is in ``sources.formats``."""
