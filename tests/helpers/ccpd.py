"""Folders in the layout of CCPD2019 and CCPD2020."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

# what the left-top, right-top, right-bottom and left-bottom quarters of a synthetic plate show
QUARTERS = ((200, 30, 30), (30, 160, 30), (30, 30, 200), (220, 220, 40))
CORNERS = ((520, 660), (150, 560), (160, 430), (530, 530))


def photo(corners: tuple[tuple[int, int], ...] = CORNERS) -> Image.Image:
    """A picture of CCPD's size with a tilted plate of four coloured quarters on grey."""
    picture = Image.new("RGB", (720, 1160), (120, 120, 120))
    pen = ImageDraw.Draw(picture)
    rb, lb, lt, rt = corners

    def at(u: float, v: float) -> tuple[float, float]:
        x, y = (
            (1 - v) * ((1 - u) * lt[k] + u * rt[k]) + v * ((1 - u) * lb[k] + u * rb[k])
            for k in (0, 1)
        )
        return x, y

    for (u, v), colour in zip(((0, 0), (0.5, 0), (0.5, 0.5), (0, 0.5)), QUARTERS, strict=True):
        pen.polygon([at(u, v), at(u + 0.5, v), at(u + 0.5, v + 0.5), at(u, v + 0.5)], colour)
    return picture


def photo_name(serial: int, plate: str = "0_0_22_27_27_33_16") -> str:
    corners = "_".join(f"{x}&{y}" for x, y in CORNERS)
    return f"0{serial}-90_85-150&430_530&660-{corners}-{plate}-100-{serial}.jpg"


def write_ccpd(root: Path, count: int = 6, broken: bool = False) -> Path:
    """A small CCPD2019 and CCPD2020: every second picture shows the same plate."""
    old, green = root / "CCPD2019", root / "CCPD2020" / "ccpd_green"
    content = root / "photo.jpg"
    root.mkdir(parents=True, exist_ok=True)
    photo().save(content, quality=95, subsampling=0)
    lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    names = [photo_name(i, f"0_0_22_27_27_33_{16 + i % 2 * (i % 9)}") for i in range(count)]
    for i, name in enumerate(names):
        subset, split = (("base", "train"), ("base", "val"), ("blur", "test"))[i % 3]
        lists[split].append(f"ccpd_{subset}/{name}")
    for lines in lists.values():
        for line in lines:
            (old / line).parent.mkdir(parents=True, exist_ok=True)
            (old / line).write_bytes(content.read_bytes())
    for folder, name in (("ccpd_np", "1.jpg"), ("ccpd_weather", photo_name(901))):
        (old / folder).mkdir()
        (old / folder / name).write_bytes(content.read_bytes())
    if broken:
        lists["train"] += ["ccpd_base/gone-name.jpg", f"ccpd_base/{photo_name(902)}"]
        (old / "ccpd_base" / photo_name(903)).write_bytes(b"\xff\xd8 cut short")
        lists["val"] += [f"ccpd_base/{photo_name(903)}", f"ccpd_base/{photo_name(904)}"]
        photo().resize((72, 116)).save(old / "ccpd_base" / photo_name(904))
        lists["test"] += [f"ccpd_blur/{photo_name(905, '0_0_34_27_27_33_16')}"]
    (old / "splits").mkdir()
    for split, lines in lists.items():
        (old / "splits" / f"{split}.txt").write_text("\n".join(lines) + "\n")
    for split in lists:
        (green / split).mkdir(parents=True)
        (green / split / photo_name(1, "0_0_3_24_24_29_25_32")).write_bytes(content.read_bytes())
    content.unlink()
    return root
