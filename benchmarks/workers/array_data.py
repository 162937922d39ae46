"""Worker: the arrays of ``scripts/bench compression --only arrays``, written as .npy files.

Constants and formats may be chosen with the arrays of `DESIGN` only. Which arrays are held back was
decided before any size was known, and never changes. Arrays take at most about 2 MB.

job: folder (for the .npy files), packages (folder of Python packages whose data files are read),
shared (folder of nab, skab, adbench and mnist.npz), debian (folder under which Debian packages are
unpacked, such as /), kinds, halves (lists)
"""

from pathlib import Path
from typing import Any

import job
import made_arrays as made
import numpy as np
from array_files import (
    Load,
    Missing,
    Places,
    column,
    columns,
    digits,
    installed,
    keywords,
    nifti,
    packaged,
    picture,
    raw,
    recording,
    shared,
    stored,
)

SENSORS = ["Accelerometer1RMS", "Accelerometer2RMS", "Current", "Pressure", "Temperature"]
SENSORS += ["Thermocouple", "Voltage", "Volume Flow RateRMS"]
HEALTH = ["mdvis", "lncoins", "idp", "lpi", "fmde", "physlm", "disea", "hlthg", "hlthf", "hlthp"]
UCR = "aeon/datasets/data/KDD-TSAD_135/135_UCR_Anomaly_InternalBleeding16_TEST.csv"
MATPLOTLIB = "matplotlib/mpl-data/sample_data/"


def main() -> None:
    task = job.read()
    places = Places(Path(task.packages), Path(task.shared), Path(task.debian))
    found: list[dict[str, Any]] = []
    for half, kinds in (("design", DESIGN), ("held back", HELD_BACK)):
        for kind in [each for each in kinds if each in task.kinds and half in task.halves]:
            for name, load in kinds[kind].items():
                entry = {"kind": kind, "half": half, "name": name}
                path = Path(task.folder) / f"{len(found)}.npy"
                found.append(entry | _saved(load, places, path))
    job.report(arrays=found)


def _saved(load: Load, places: Places, path: Path) -> dict[str, str]:
    try:
        np.save(path, np.ascontiguousarray(load(places)))
    except Missing as error:
        return {"missing": str(error)}
    return {"path": str(path)}


def nab(name: str, dtype: str) -> Load:
    return shared(f"nab/{name}.csv", column("value", dtype))


def adbench(name: str, dtype: str) -> Load:
    return shared(f"adbench/{name}.npz", stored("X", dtype))


def sonic(name: str) -> Load:
    return installed("sonic-pi-samples", f"usr/share/sonic-pi/samples/{name}.flac", recording)


def alsa(name: str) -> Load:
    return installed("alsa-utils", f"usr/share/sounds/alsa/{name}.wav", recording)


def template(name: str) -> Load:
    path = f"nilearn/datasets/data/mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz"
    return packaged(path, lambda file: nifti(file)[80:88])


DESIGN: dict[str, dict[str, Load]] = {
    "series": {
        "ambient temperature (NAB)": nab("realKnownCause/ambient_temperature_system_failure", "f4"),
        "machine temperature (NAB)": nab("realKnownCause/machine_temperature_system_failure", "f4"),
        "season and noise (made)": lambda _: made.autoregression(1, 20_000, 2),
    },
    "integer series": {
        "taxi passengers (NAB)": nab("realKnownCause/nyc_taxi", "i4"),
        "sums modulo 97 (made)": lambda _: made.sums_modulo(0, 2500, 97),
        "taken places (made)": lambda _: made.occupancy(1, 10_000, 600),
        "tweets on Apple (NAB)": nab("realTweets/Twitter_volume_AAPL", "i4"),
    },
    "tables": {
        "satellite (ADBench)": adbench("satellite", "u1"),
        "shuttle (ADBench)": adbench("shuttle", "i2"),
        "cardio (ADBench)": adbench("cardio", "f4"),
    },
    "binary tables": {
        "digits above 127 (MNIST)": shared(
            "mnist.npz", lambda file: stored("x_test")(file)[:1500].reshape(1500, -1) > 127
        ),
        "independent flags (made)": lambda _: made.independent_flags(1, 8000, 40),
        "machines on and off (made)": lambda _: made.machine_states(1, 20_000, 24),
    },
    "fields": {
        "elevation of Jacksboro (matplotlib)": packaged(
            f"{MATPLOTLIB}jacksboro_fault_dem.npz", stored("elevation")
        ),
        "depth of the sea (matplotlib)": packaged(f"{MATPLOTLIB}topobathy.npz", stored("topo")),
        "smooth field (made)": lambda _: made.smooth_noise(1, (300, 300), 3.0),
    },
    "volumes": {
        "head, T1 (nilearn)": template("t1"),
        "diffusion (dipy)": packaged(
            "dipy/data/files/S0_10slices.nii.gz", lambda file: nifti(file)[0]
        ),
        "smooth volume (made)": lambda _: made.smooth_noise(2, (32, 64, 64), 3.5),
    },
    "photographs": {
        "astronaut (scikit-image)": packaged("skimage/data/astronaut.png", picture()),
        "china (scikit-learn)": packaged("sklearn/datasets/images/china.jpg", picture(20, 100)),
        "camera (scikit-image)": packaged("skimage/data/camera.png", picture()),
    },
    "audio": {
        "speech, front (ALSA)": alsa("Front_Center"),
        "drums (Sonic Pi)": sonic("loop_amen"),
        "plucked string (made)": lambda _: made.plucked(1, 80_000),
    },
}

HELD_BACK: dict[str, dict[str, Load]] = {
    "series": {
        "S&P 500 (arch)": packaged("arch/data/sp500/sp500.csv.gz", column("Close", "f8")),
        "temperature of San Francisco (vega)": packaged(
            "vega_datasets/_data/sf-temps.csv", column("temp", "f8")
        ),
        "blood pressure (aeon)": packaged(UCR, column("value", "f8")),
        "noise of a seismometer (obspy)": packaged(
            "obspy/signal/tests/data/pitsa_noise.npy", stored()
        ),
    },
    "integer series": {
        "tweets on Google (NAB)": nab("realTweets/Twitter_volume_GOOG", "i4"),
        "volume of Nasdaq (arch)": packaged(
            "arch/data/nasdaq/nasdaq.csv.gz", column("Volume", "i8")
        ),
        "earthquake (obspy)": packaged(
            "obspy/io/reftek/tests/data/unpacked_data_steim2.npy", stored()
        ),
        "slow walk (made)": lambda _: made.slow_walk(7, 6000),
        "taken places, other seed (made)": lambda _: made.occupancy(8, 4000, 90),
    },
    "tables": {
        "spam (ADBench)": adbench("SpamBase", "f8"),
        "blocks of pages (ADBench)": adbench("PageBlocks", "f8"),
        "valve (SKAB)": shared("skab/valve1/1.csv", columns(SENSORS, "f8", ";")),
        "health insurance (statsmodels)": packaged(
            "statsmodels/datasets/randhie/randhie.csv", columns(HEALTH, "f8")
        ),
    },
    "binary tables": {
        "digits above 7 (scikit-learn)": packaged(
            "sklearn/datasets/data/digits.csv.gz", lambda file: digits(file) > 7
        ),
        "keywords of lines (Python)": lambda _: keywords(20_000),
        "land (global-land-mask)": packaged(
            "global_land_mask/globe_combined_mask_compressed.npz",
            lambda file: ~stored("mask")(file)[4000:4800, 21600:22900],
        ),
        "machines, other seed (made)": lambda _: made.machine_states(5, 6000, 60),
    },
    "fields": {
        "tomography of a head (matplotlib)": packaged(
            f"{MATPLOTLIB}s1045.ima.gz", raw("<u2", (256, 256))
        ),
        "disparity (scikit-image)": packaged(
            "skimage/data/motorcycle_disp.npz",
            lambda file: np.nan_to_num(stored("arr_0")(file)[:400, :400], posinf=0),
        ),
        "coronal slice (dipy)": packaged("dipy/data/files/t1_coronal_slice.npy", stored()),
        "rough field (made)": lambda _: made.smooth_noise(6, (256, 320), 1.8),
    },
    "volumes": {
        "white matter (nilearn)": template("wm"),
        "functional (nilearn)": packaged("nilearn/datasets/data/image_10426.nii.gz", nifti),
        "anisotropic voxels (dipy)": packaged("dipy/data/files/aniso_vox.nii.gz", nifti),
        "example (nibabel)": packaged(
            "nibabel/tests/data/example4d.nii.gz", lambda file: nifti(file)[0]
        ),
    },
    "photographs": {
        "chelsea (scikit-image)": packaged("skimage/data/chelsea.png", picture()),
        "flower (scikit-learn)": packaged("sklearn/datasets/images/flower.jpg", picture(20, 100)),
        "motorcycle (scikit-image)": packaged("skimage/data/motorcycle_left.png", picture(60, 200)),
        "coffee (scikit-image)": packaged("skimage/data/coffee.png", picture()),
        "gravel (scikit-image)": packaged("skimage/data/gravel.png", picture()),
    },
    "audio": {
        "speech, rear (ALSA)": alsa("Rear_Right"),
        "tabla (Sonic Pi)": sonic("loop_tabla"),
        "guitar (Sonic Pi)": sonic("guit_em9"),
        "house (pygame)": packaged("pygame/examples/data/house_lo.wav", recording),
    },
}


if __name__ == "__main__":
    main()
