# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""What most depends on the way through the kernel, on each; turn_kernel_for_long_test runs all."""
import turn_kernel

CHOSEN = {"test_everything_is_counted_and_a_restart_keeps_the_path", "test_udp", "test_udp_with_padded_channels",
          "test_tcp", "test_between_clients_of_one_server", "test_ipv6_relayed_addresses", "test_mobility",
          "test_dont_fragment", "test_sends_to_the_unreachable_end_no_connection_and_no_allocation",
          "test_a_route_that_goes_away_and_comes_back"}

if __name__ == "__main__":
    turn_kernel.run(CHOSEN.__contains__)
