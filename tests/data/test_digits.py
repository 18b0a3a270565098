from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc import InputError
from crnn_ctc.data.digits import Digits, enlarge, hold_out, load_digits
from crnn_ctc.data.idx import read_idx
from helpers.data import idx, printed_digits, write_emnist


def test_emnist_comes_back_upright(tmp_path: Path) -> None:
    images, labels = printed_digits(100)
    digits = load_digits(write_emnist(tmp_path), "test")
    np.testing.assert_array_equal(digits.images, enlarge(images))
    np.testing.assert_array_equal(digits.labels, labels)


@pytest.mark.parametrize("zipped", [True, False])
def test_gzipped_or_not(tmp_path: Path, zipped: bool) -> None:
    assert len(load_digits(write_emnist(tmp_path, zipped=zipped), "train")) == 400


def test_nists_archive_unpacks_into_gzip(tmp_path: Path) -> None:
    write_emnist(tmp_path / "gzip")
    assert len(load_digits(tmp_path, "test")) == 100


def test_mnist_is_not_transposed(tmp_path: Path) -> None:
    images, labels = printed_digits(30)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(images))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    np.testing.assert_array_equal(load_digits(tmp_path, "test").images, enlarge(images))


def test_enlarge_is_bilinear() -> None:
    images, _ = printed_digits(20)
    expected = [np.asarray(Image.fromarray(i).resize((32, 32), 2), np.int16) for i in images]
    assert np.abs(enlarge(images) - np.stack(expected)).max() <= 1  # Pillow rounds twice


def test_real_digits(emnist: Path) -> None:
    train, test = load_digits(emnist, "train"), load_digits(emnist, "test")
    assert (len(train), len(test)) == (100_000, 12_000)
    assert set(np.unique(test.labels)) == set(range(10))
    # a 7 has its bar above and its foot below: upright, its upper half holds more ink
    sevens = test.images[test.labels == 7].mean(0)
    assert sevens[:16].sum() > 1.3 * sevens[16:].sum()


def test_hold_out_parts_do_not_meet() -> None:
    images, labels = printed_digits(200)
    images = enlarge(images)
    images[:, 0, 0], images[:, 0, 1] = np.arange(200) % 256, 0
    train, held = hold_out(Digits(images, labels), 0.1)
    assert len(held) == 20
    assert not set(train.images[:, 0, 0]) & set(held.images[:, 0, 0])


def break_file(folder: Path, how: str) -> str:
    """Break one file; returns what the message must say."""
    write_emnist(folder, zipped=False)
    images = folder / "emnist-digits-test-images-idx3-ubyte"
    labels = folder / "emnist-digits-test-labels-idx1-ubyte"
    content = images.read_bytes()
    match how:
        case "magic":
            images.write_bytes(b"\0\0\x0d\x03" + content[4:])
            return "magic"
        case "empty":
            images.write_bytes(b"")
            return "not an IDX file"
        case "header":
            images.write_bytes(content[:10])
            return "header is cut short"
        case "truncated":
            images.write_bytes(content[:-1])
            return "its header promises"
        case "longer":
            images.write_bytes(content + b"\0")
            return "its header promises"
        case "huge":
            images.write_bytes(content[:4] + b"\xff" * 12 + content[16:])
            return "its header promises"
        case "gzip":
            images.write_bytes(gzip.compress(content)[:-40])
            return "broken gzip"
        case "count":
            labels.write_bytes(idx(printed_digits(99)[1]))
            return "100 images, but 99 labels"
        case "letters":
            labels.write_bytes(idx(np.full(100, 11, np.uint8)))
            return "label 11 is no digit"
        case "no labels":
            labels.unlink()
            return "not beside it"
        case "size":
            images.write_bytes(idx(np.zeros((100, 20, 20), np.uint8)))
            return "28x28"
        case "none":
            images.write_bytes(idx(np.zeros((0, 28, 28), np.uint8)))
            labels.write_bytes(idx(np.zeros(0, np.uint8)))
            return "no pictures"
    raise AssertionError(how)


@pytest.mark.parametrize(
    "how",
    [
        "magic",
        "empty",
        "header",
        "truncated",
        "longer",
        "huge",
        "gzip",
        "count",
        "letters",
        "size",
        "none",
        "no labels",
    ],
)
def test_broken_files(tmp_path: Path, how: str) -> None:
    says = break_file(tmp_path, how)
    with pytest.raises(InputError, match=says) as caught:
        load_digits(tmp_path, "test")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="crnn-ctc data emnist"):
        load_digits(tmp_path, "test")
    with pytest.raises(InputError, match="no such folder"):
        load_digits(tmp_path / "missing", "test")
    with pytest.raises(InputError, match="no such file"):
        read_idx(tmp_path / "missing", 1)


def test_an_idx_header_of_absurd_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(struct.pack(">4I", 0x0803, 0, 2**32 - 1, 2**32 - 1))  # a product of 0
    with pytest.raises(InputError, match="promises a side of 4294967295"):
        read_idx(path, 3)
    path.write_bytes(gzip.compress(bytes(3_000_000)))
    monkeypatch.setattr("crnn_ctc.data.idx.MOST_BYTES", 2_000_000)
    with pytest.raises(InputError, match="over 2 MB unpacked"):
        read_idx(path, 3)
