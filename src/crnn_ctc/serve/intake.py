"""Extraction of pictures from a request's body, within the limits."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import anyio
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from crnn_ctc.serve.limits import MEGA, Limits
from crnn_ctc.serve.problems import Problem


@dataclass(frozen=True, slots=True)
class UploadedPicture:
    """A picture of a request.

    Attributes:
        name: file name given by the client; never opened as a path.
        content: bytes of its file.
    """

    name: str
    content: bytes


def declared_size(request: Request, limits: Limits) -> int:
    """Declared size of the body in bytes, or the maximum if the request does not state it.

    Raises:
        Problem: 413, the declared size is too large; 400, it is invalid.
    """
    length = request.headers.get("content-length")
    if length is None:
        return limits.body
    if not (length.isascii() and length.isdigit()):
        raise Problem(400, "Content-Length: give the bytes of the body")
    size = int(length[:20])
    if size > limits.body:
        raise _too_large(limits)
    return size


def is_multipart(request: Request) -> bool:
    """Tell whether the body is a form with files; otherwise it is one picture.

    Raises:
        Problem: 415, neither.
    """
    kind = request.headers.get("content-type", "application/octet-stream")
    kind = kind.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return True
    if kind.startswith("image/") or kind == "application/octet-stream":
        return False
    raise Problem(
        415,
        f"{kind[:80]}: send files as multipart/form-data, or one picture as image/* or "
        "application/octet-stream",
        headers={"Accept-Post": "multipart/form-data, image/*, application/octet-stream"},
    )


async def pictures_of(request: Request, limits: Limits) -> list[UploadedPicture]:
    """Receive the pictures of a request.

    Raises:
        Problem: 400 no picture or a broken form, 408 too slow, 413 too large, 415 unsupported type.
    """
    multipart = is_multipart(request)
    try:
        with anyio.fail_after(limits.seconds):
            if multipart:
                return await _files(request, limits)
            content = b"".join([chunk async for chunk in _body(request, limits)])
    except TimeoutError:
        raise Problem(408, f"the body did not arrive within {limits.seconds:g} s") from None
    if not content:
        raise Problem(400, "an empty body; send a picture")
    return [UploadedPicture("", content)]


class _Form(MultiPartParser):
    """Form parser that rejects truncated forms and writes nothing to disk.

    Args:
        request: request with the form as body.
        limits: limits of the service.
    """

    def __init__(self, request: Request, limits: Limits) -> None:
        self._ended = False
        super().__init__(
            request.headers,
            self._whole(_body(request, limits)),
            # one more than allowed, to distinguish too many files from a broken form
            max_files=limits.pictures + 1,
            max_fields=0,
        )
        self.spool_max_size = limits.body + 1

    def on_end(self) -> None:
        """Note the last boundary."""
        self._ended = True

    async def _whole(self, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async for chunk in chunks:
            yield chunk
        if not self._ended:
            raise MultiPartException("it is cut short")


async def _files(request: Request, limits: Limits) -> list[UploadedPicture]:
    parser = _Form(request, limits)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "files" in error.message:
            raise _too_many(limits) from None
        if "fields" in error.message:
            raise Problem(
                400, "a part without a file name; send files, and options in the query"
            ) from None
        raise Problem(400, f"a broken form: {error.message[:100]}") from None
    try:
        return await _pictures(form, limits)
    finally:
        await form.close()


async def _pictures(form: FormData, limits: Limits) -> list[UploadedPicture]:
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if len(files) > limits.pictures:
        raise _too_many(limits)
    if not files:
        raise Problem(400, "a form without a file; send one or more pictures")
    return [UploadedPicture(file.filename or "", await file.read()) for file in files]


async def _body(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limits.body:
            raise _too_large(limits)
        yield chunk


def _too_large(limits: Limits) -> Problem:
    return Problem(413, f"over {limits.body / MEGA:g} MB; send less at once or crop the pictures")


def _too_many(limits: Limits) -> Problem:
    return Problem(413, f"over {limits.pictures} pictures; send less at once")
