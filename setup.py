"""The packages of the wheel; everything else about it is in pyproject.toml.

A wheel carries the scripts of the folder ``stages`` as ``ae_pretrained/stages``, where ``ae-pretrained stage NAME``
finds them. pyproject.toml could say so only with a list of every package.
"""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["ae_pretrained*"]), "ae_pretrained.stages"],
    package_dir={"ae_pretrained.stages": "stages"},
)
