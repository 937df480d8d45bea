"""Series as the page carries them: exact decimals as text, a line a day, deflated, in base64."""

import base64
import zlib

import polars as pl

from reflow.results.frames import Frames


def text(column: str) -> pl.Expr:
    """A column of decimals, or of such text, as plain decimals without zeros at the end."""
    plain = pl.col(column).cast(pl.String)
    whole = plain.str.strip_chars_end("0").str.strip_chars_end(".")
    return pl.when(plain.str.contains(".", literal=True)).then(whole).otherwise(plain).alias(column)


def series(frames: Frames) -> pl.DataFrame:
    """metric, time, ours, vendor as text, exact, by metric and day; null is no value, or a day that the vendor lacks.

    `exact`: whether both are equal as far as the vendor's has digits.
    """
    ours = frames.metrics.select("metric", "time", text("value").alias("ours"))
    if frames.differences is None:
        return ours.with_columns(vendor=pl.lit(None, pl.String), exact=pl.lit(None, pl.Boolean))
    vendor = frames.differences.select("metric", "time", text("vendor"), "exact")
    return ours.join(vendor, on=["metric", "time"], how="left", maintain_order="left")


def pack(one: pl.DataFrame) -> str:
    """The series of one metric: `OURS`, `OURS,VENDOR` where the vendor has a value, `OURS,=` where it is the same.

    `OURS,~VENDOR`: the vendor's is ours with fewer digits, so that there is no difference.
    """
    ours, vendor = pl.col("ours").fill_null(""), pl.col("vendor")
    rounded = pl.when("exact").then(",~" + vendor).otherwise("," + vendor)
    same = pl.when(vendor == ours).then(pl.lit(",=")).otherwise(rounded)
    lines = one.select((ours + same.fill_null("")).alias("line"))["line"]
    return base64.b64encode(zlib.compress("\n".join(lines).encode(), 9)).decode()
