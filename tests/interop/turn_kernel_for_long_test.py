# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Every test of other people's clients and of unreachable peers, on each way through the kernel."""
import turn_kernel

if __name__ == "__main__":
    turn_kernel.run(lambda name: True)
