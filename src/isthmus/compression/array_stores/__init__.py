"""Codecs for arrays in Zarr stores, which xarray, Dask and other programs read.

Their modules import zarr and numcodecs, so each is imported only when it is used. An installed
isthmus is found by both libraries: a store that was written with one of these codecs opens without
an import of isthmus.
"""
