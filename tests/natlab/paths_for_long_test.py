# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""The whole product of the lab's NATs, as paths_test.py does some."""
import lab
import paths
import paths_test


class Product(paths_test.Paths):
    cases = paths.PRODUCT


if __name__ == "__main__":
    lab.enter_or_skip()
    paths_test.unittest.main(defaultTest="Product")
