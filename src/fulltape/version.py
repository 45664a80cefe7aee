"""The version, which goes into files and manifests."""

VERSION = "0.1.0"
