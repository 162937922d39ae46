import pytest

from isthmus.core.sample_words import about


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a row of 3 rows", "an image of 3 images"),
        (
            "Rows and the rows' errors; the mean row's",
            "Images and the images' errors; the mean image's",
        ),
        ("A row is narrow, growing in brows.", "An image is narrow, growing in brows."),
        ("a normal row", "a normal image"),
    ],
)
def test_rows_are_images(text, expected):
    assert about("image", text) == expected
    assert about("row", text) == text
