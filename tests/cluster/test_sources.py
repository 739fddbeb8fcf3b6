"""What a large survey's words stand for: folders, lists, addresses; the last in a real S3 server."""

import io
import sys

import pytest

from sabi.cluster import sources
from sabi.cluster.sources import Source, find_sources, read
from sabi.photographs.files import Unusable
from sabi.runtime.errors import InputError


@pytest.fixture
def folder(tmp_path):
    for name in ("b/2.jpg", "b/10.jpg", "a.jpg"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(name.encode())
    return tmp_path


def test_a_folders_files_come_sorted_and_each_once(folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = find_sources(["b", "a.jpg", "b/2.jpg"])
    assert [source.path for source in found] == ["a.jpg", "b/10.jpg", "b/2.jpg"]
    assert [read(source).read_bytes().decode() for source in found] == [source.path for source in found]


def test_scales_are_those_of_the_folders_table(folder):
    (folder / "b/labels.csv").write_text("file,mm_per_pixel\n2.jpg,0.5\n")
    found = {source.path: source.mm_per_pixel for source in find_sources([str(folder / "b")])}
    assert found == {(folder / "b/10.jpg").as_posix(): None, (folder / "b/2.jpg").as_posix(): 0.5}


def test_a_list_in_a_file_names_what_is_typed_otherwise(folder):
    listed = folder / "list.txt"
    listed.write_text(f"{folder}/b\n\n  {folder}/a.jpg  \n", encoding="utf-8-sig")  # as Notepad does
    assert find_sources([f"@{listed}"]) == find_sources([str(folder / "a.jpg"), str(folder / "b")])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("@nowhere.txt", "cannot be read as a list"),
        ("nowhere", "no such file or folder"),
        ("memory://nowhere/at/all", "no file there"),
        ("unheard-of://bucket", "cannot be listed"),
    ],
)
def test_what_stands_for_no_file_is_told(given, said):
    with pytest.raises(InputError, match=said) as told:
        find_sources([given])
    assert given in str(told.value)


def test_a_store_whose_package_is_missing_is_told_with_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as where it is not installed
    with pytest.raises(InputError, match=r"s3://bucket/survey: .*for S3 type `make ray`"):
        find_sources(["s3://bucket/survey"])


def test_a_file_that_was_changed_is_another(folder):
    [before] = find_sources([str(folder / "a.jpg")])
    (folder / "a.jpg").write_bytes(b"longer than before")
    assert find_sources([str(folder / "a.jpg")]) != [before]


def test_an_address_that_is_gone_gives_a_reason():
    gone = read(Source("memory://x/1.jpg", "memory://x/1.jpg", None, "1"))
    assert isinstance(gone, Unusable) and "it is gone" in str(gone)


def test_an_address_that_cannot_be_read_is_tried_again(monkeypatch):
    monkeypatch.setattr(sources, "PAUSES", (0, 0))
    source = Source("memory://x/1.jpg", "memory://x/1.jpg", None, "1")
    tries = []

    def opened(*_):
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionResetError("reset\nby peer")
        return io.BytesIO(b"content")

    monkeypatch.setattr(sources.fsspec, "open", opened)
    assert read(source) == b"content"

    def failing(*_):
        raise OSError("down\nfor good")

    monkeypatch.setattr(sources.fsspec, "open", failing)
    assert str(read(source)) == "cannot be read, tried 3 times: down for good"


@pytest.fixture
def bucket(monkeypatch):
    """The address of a bucket of a server that speaks S3, on loopback."""
    server_module = pytest.importorskip("moto.server", reason="Ray and S3 are not installed; `make ray`")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("rust")
    yield "s3://rust"
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.slow
def test_photographs_of_an_s3_bucket_are_found_and_read(bucket, folder):
    import s3fs

    system = s3fs.S3FileSystem()
    system.put(str(folder / "b"), "rust/survey", recursive=True)
    found = find_sources([f"{bucket}/survey"])
    assert [source.path for source in found] == ["s3://rust/survey/10.jpg", "s3://rust/survey/2.jpg"]
    assert [read(source) for source in found] == [b"b/10.jpg", b"b/2.jpg"]
    system.pipe("rust/survey/2.jpg", b"another")
    assert find_sources([f"{bucket}/survey"])[1] != found[1]
    assert find_sources([f"{bucket}/survey/10.jpg"]) == found[:1]


def test_a_list_of_nothing_and_a_row_of_no_file_are_told(folder):
    (folder / "list.txt").write_text("\n")
    with pytest.raises(InputError, match=r"list.txt: names no photograph"):
        find_sources([f"@{folder}/list.txt"])
    (folder / "b/labels.csv").write_text("file,mm_per_pixel\n../a.jpg,0.5\n")
    outside = next(source for source in find_sources([str(folder / "b")]) if source.reason)
    assert outside.path.endswith("b/../a.jpg") and "leads out of the folder" in str(read(outside))
