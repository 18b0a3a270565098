from __future__ import annotations

import pickle
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from crnn_ctc.alphabet import PLATES
from crnn_ctc.data.label_tally import LabelTally
from crnn_ctc.data.labelled import LabelError, read_labelled
from crnn_ctc.data.near_duplicates import difference_hash, near_pairs
from crnn_ctc.errors import InputError
from crnn_ctc.plates.scheme import plate_label
from helpers.data import shared_data


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_folders_at_any_depth(tmp_path: Path) -> None:
    touch(tmp_path, "train/皖AY339S_0.jpg", "train/深 处/皖AY339S_12.PNG", "dev/苏E12345.jpg",
          "粤Z1234港_3.jpg", "notes.txt", "train/._皖AY339S_0.jpg")  # fmt: skip
    found = [
        (str(p.path.relative_to(tmp_path)), p.text, p.attributes) for p in read_labelled(tmp_path)
    ]
    assert found == [
        ("粤Z1234港_3.jpg", "粤Z1234港", {}),
        ("dev/苏E12345.jpg", "苏E12345", {"split": "dev"}),
        ("train/皖AY339S_0.jpg", "皖AY339S", {"split": "train"}),
        ("train/深 处/皖AY339S_12.PNG", "皖AY339S", {"split": "train"}),
    ]
    # the split is known as well where its folder itself is named
    assert [p.attributes for p in read_labelled(tmp_path / "dev")] == [{"split": "dev"}]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_manifests(tmp_path: Path, bom: bytes, delimiter: str, end: str) -> None:
    lines = [
        ["File", "label", "colour"],
        ["a.jpg", "00123", "blue"],
        [],
        ["深 处/b.jpg", '"1e5"', ""],
        [" c.jpg ", " TRUE ", "green"],
    ]
    manifest = tmp_path / "labels.csv"
    manifest.write_bytes(bom + end.join(delimiter.join(line) for line in lines).encode())
    found = list(read_labelled(manifest))
    assert [p.text for p in found] == ["00123", "1e5", "TRUE"]
    assert [p.path for p in found] == [tmp_path / n for n in ("a.jpg", "深 处/b.jpg", "c.jpg")]
    assert [p.attributes for p in found] == [{"colour": c} for c in ("blue", "", "green")]
    assert [p.where for p in found] == [f"{manifest}:{n}" for n in (2, 4, 5)]


def test_pictures_may_lie_in_a_folder_named_as_the_manifest(tmp_path: Path) -> None:
    touch(tmp_path, "train/a.jpg", "b.jpg")
    (tmp_path / "train.csv").write_text("file,label\na.jpg,A\nb.jpg,B\n")
    found = list(read_labelled(tmp_path / "train.csv"))
    assert [p.path for p in found] == [tmp_path / "train" / "a.jpg", tmp_path / "b.jpg"]
    assert [p.attributes["split"] for p in found] == ["train", "train"]
    # a folder that holds manifest.csv is read by it, and its column goes before its name
    (tmp_path / "manifest.csv").write_text("file,label,split\nb.jpg,B,test\n")
    assert [(p.text, p.attributes["split"]) for p in read_labelled(tmp_path)] == [("B", "test")]


def test_a_table_beside_or_among_pictures_wins_over_their_names(tmp_path: Path) -> None:
    touch(tmp_path, "train/img_1.jpg", "train/img_2.jpg", "val/X_1.jpg", "test/img_1.jpg")
    (tmp_path / "train.csv").write_text("file,label\nimg_1.jpg,A\nimg_2.jpg,B\n")
    (tmp_path / "val.csv").write_text("name,score\nX_1.jpg,3\n")  # labels nothing
    (tmp_path / "test" / "gold.tsv").write_text("label\tfile\nC\timg_1.jpg\n")

    def found(folder: Path) -> list[tuple[str, str, str]]:
        return [
            (p.path.relative_to(tmp_path).as_posix(), p.text, p.attributes.get("split", ""))
            for p in read_labelled(folder)
        ]

    train = [("train/img_1.jpg", "A", "train"), ("train/img_2.jpg", "B", "train")]
    assert found(tmp_path / "train") == train
    assert found(tmp_path / "val") == [("val/X_1.jpg", "X", "val")]
    assert found(tmp_path) == [("test/img_1.jpg", "C", ""), *train, ("val/X_1.jpg", "X", "val")]
    # what is in the folder goes before what is beside it
    (tmp_path / "train" / "manifest.csv").write_text("file,label\nimg_2.jpg,D\n")
    assert found(tmp_path / "train") == [("train/img_2.jpg", "D", "")]
    assert ("train/img_2.jpg", "D", "") in found(tmp_path)


def test_a_table_beside_pictures_that_is_not_utf8_is_refused_not_passed_over(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "train/img_1.jpg")
    (tmp_path / "train.csv").write_bytes("file,label\nimg_1.jpg,皖A12345\n".encode("gbk"))
    with pytest.raises(InputError, match=r"train\.csv: not UTF-8"):
        list(read_labelled(tmp_path / "train"))


def test_manifests_with_windows_separators(tmp_path: Path) -> None:
    touch(tmp_path, "im/深/0.png", "train/im/1.png", "a\\b.png")
    (tmp_path / "train.csv").write_text(
        "file,label\nim\\深\\0.png,A\nim\\1.png,B\na\\b.png,C\n", "utf-8"
    )
    found = [p.path.relative_to(tmp_path).as_posix() for p in read_labelled(tmp_path / "train.csv")]
    # where a file has that very name, it is meant
    assert found == ["im/深/0.png", "train/im/1.png", "a\\b.png"]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["img_1", "img_2"], "all 2 labels are 'img'"),
        ([f"IMG{n}" for n in range(3)], "3 of 3 labels look like names of files"),
        ([f"20240131_12301{n}_x" for n in range(3)] + ["A7_0"], "3 of 4 labels look like"),
        ([f"{n:05}" for n in range(7, 15)], "count up from '00007'"),
        (["A7_0", "A7_1", "B8_0"], None),
        ([f"{n}" for n in (31415, 16180, 27182, 90210, 47624)], None),
    ],
)
def test_labels_that_are_no_labels_are_noticed(
    tmp_path: Path, names: list[str], says: str | None
) -> None:
    touch(tmp_path, *(f"{name}.jpg" for name in names))
    tally = LabelTally()
    assert len(list(tally.watch(tmp_path, read_labelled(tmp_path)))) == len(names)
    assert tally.sources() == [f"labels: {len(names)} from file names (LABEL_n) in {tmp_path}"]
    if says is None:
        assert tally.warnings() == []
    else:
        (line,) = tally.warnings()
        assert says in line
        assert "write a table" in line


def test_a_bad_row_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    manifest = tmp_path / "labels.csv"
    manifest.write_text(
        'file,label\na.jpg,A\nb.jpg\nc.jpg,"C\nC"\nd.jpg,D,x\n,E\nf.jpg, \ng.jpg,G\n'
    )
    reported: list[LabelError] = []
    assert [p.text for p in read_labelled(manifest, reported.append)] == ["A", "C\nC", "", "G"]
    assert [(e.line, e.kind) for e in reported] == [
        (3, "bad row"), (6, "bad row"), (7, "bad row"),
    ]  # fmt: skip
    assert str(reported[0]).startswith(f"{manifest}:3: 1 fields")
    copy = pickle.loads(pickle.dumps(reported[0]))
    assert (str(copy), copy.line, copy.kind) == (str(reported[0]), 3, "bad row")
    taken = read_labelled(manifest)
    assert next(taken).text == "A"
    with pytest.raises(InputError, match=r"labels\.csv:3"):
        next(taken)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"file;label\na;b\n", "no column 'file'"),
        ("a.csv", b"file,text\na,b\n", "no column 'label'"),
        ("a.csv", b"", "no column 'file'"),
        ("a.csv", b"file,label,label\na,b,c\n", "two columns 'label'"),
        ("a.csv", "file,label\na.jpg,皖A12345\n".encode("gbk"), "not UTF-8"),
        ("a.csv", "file,label\n".encode("utf-16"), "not UTF-8"),
        ("a.csv", b"file,label\n" + b"a" * 200_000 + b",b\n", "a.csv:2: not a CSV file"),
        ("a.xlsx", b"", "neither a folder nor"),
        ("none.csv", None, "no such file"),
        ("none", None, "no such file"),
    ],
)
def test_manifests_that_cannot_be_read(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says):
        list(read_labelled(tmp_path / name))


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pictures"):
        list(read_labelled(tmp_path))


def test_reading_is_lazy(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label\n" + "a.jpg,A\n" * 5 + "broken\n")
    found: Iterator[object] = read_labelled(tmp_path / "labels.csv")
    assert sum(1 for _, _ in zip(range(5), found, strict=False)) == 5


@pytest.mark.parametrize(
    ("raw", "mended"),
    [
        ("皖A·Y0D83", "皖AY0D83"), ("皖A•Y0D83", "皖AY0D83"), (" 皖a y0d83 ", "皖AY0D83"),
        ("皖AY0D83", "皖AY0D83"), ("皖Al2345", "皖AL2345"),
        ("皖AO1234", "皖AO1234"), ("皖A-1234", "皖A-1234"), ("", ""),
    ],
)  # fmt: skip
def test_what_is_safe_is_mended(raw: str, mended: str) -> None:
    assert plate_label(raw) == mended


@given(st.text(PLATES.characters))
def test_labels_of_the_alphabet_stay(text: str) -> None:
    assert plate_label(text) == text


def test_difference_hash_of_a_made_up_picture() -> None:
    # 9 columns of 8 rows: each darker than the one before, but for the last row
    row = np.arange(200, 20, -20, dtype=np.uint8)
    image = np.repeat(np.tile(row, (8, 1))[..., None], 3, axis=2)
    image[7] = image[7, ::-1]
    assert difference_hash(image) == 0xFFFF_FFFF_FFFF_FF00


def test_a_retouched_picture_stays_near() -> None:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 255, (6, 12, 3), np.uint8))
    picture = small.resize((240, 80), Image.Resampling.BICUBIC)
    other = picture.filter(ImageFilter.GaussianBlur(1)).resize((180, 60)).point(lambda v: v * 0.9)
    hashes = [difference_hash(np.asarray(p)) for p in (picture, other)]
    assert (hashes[0] ^ hashes[1]).bit_count() <= 4
    turned = picture.transpose(Image.Transpose.ROTATE_180)
    assert (hashes[0] ^ difference_hash(np.asarray(turned))).bit_count() > 8


@given(st.sets(st.integers(0, 2**64 - 1), max_size=40), st.data(), st.integers(0, 6))
def test_near_pairs_are_those_that_all_pairs_would_show(
    values: set[int], data: st.DataObject, distance: int
) -> None:
    # and some that are a few bits away: two random hashes never are
    for value in sorted(values)[:10]:
        flips = data.draw(st.lists(st.integers(0, 63), max_size=7))
        for flip in flips:
            value ^= 1 << flip
        values.add(value)
    hashes = sorted(values)
    expected = [
        [i, j]
        for i, j in combinations(range(len(hashes)), 2)
        if (hashes[i] ^ hashes[j]).bit_count() <= distance
    ]
    assert near_pairs(np.array(hashes, np.uint64), distance).tolist() == expected


def test_real_manifests() -> None:
    folder = shared_data("plates")
    counts = {}
    for split in ("train", "dev", "test"):
        found = list(read_labelled(folder / f"{split}.csv"))
        counts[split] = len(found)
        assert {p.attributes["split"] for p in found} == {split}
        assert all(p.path.parent == folder / split and p.path.is_file() for p in found)
        assert {p.text for p in found} == {p.text for p in read_labelled(folder / split)}
    assert counts == {"train": 4883, "dev": 439, "test": 999}
