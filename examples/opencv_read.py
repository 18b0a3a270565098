"""Log-probabilities of a plate by OpenCV's DNN module (OpenCV 5), without ONNX Runtime.

crnn-ctc export plates-nano --format float32
python examples/opencv_read.py plates-nano-float32.onnx crop.jpg
"""

from __future__ import annotations

import sys

import cv2
import numpy as np


def blob(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture as float32 (1, 3, height, width), RGB; the graph divides by 255."""
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.dnn.blobFromImage(small, swapRB=True)


def log_probs(model: str, path: str) -> np.ndarray:
    """Log-probabilities (1, T, K) of the plate in a crop."""
    net = cv2.dnn.readNetFromONNX(model)
    crop = cv2.imread(path)
    # 1: the corners of the plate
    net.setInput(blob(crop, 96, 48), "views")
    net.setInput(blob(crop, 168, 48), "images")
    height, width = crop.shape[:2]
    corners = net.forward("corners").reshape(4, 2) * np.float32([width, height])
    # 2: the plate with a margin of 4 %, 168 x 48 pixels
    left, top = 168 * 0.04 / 1.08, 48 * 0.04 / 1.08
    box = np.float32([(left, top), (168 - left, top), (168 - left, 48 - top), (left, 48 - top)])
    homography = cv2.getPerspectiveTransform(np.float32(corners), box)
    plate = cv2.warpPerspective(crop, homography, (168, 48), borderMode=cv2.BORDER_REPLICATE)
    # 3: its text
    net.setInput(blob(plate, 168, 48), "images")
    return net.forward("log_probs")


if __name__ == "__main__":
    print(log_probs(*sys.argv[1:]).argmax(2))
