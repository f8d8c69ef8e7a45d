"""Import of OpenCV, with an error that names the missing system library: slim containers have none for windows."""

from bench.errors import MissingError

try:
    import cv2 as cv2
except ImportError as error:
    raise MissingError(
        f"OpenCV does not load here ({error}); next: apt-get install libgl1 libglib2.0-0 libxcb1 (Debian, Ubuntu), or, "
        "without rights to do so: pip install --force-reinstall --no-deps opencv-python-headless"
    ) from error
