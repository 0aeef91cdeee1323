// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/machine.hpp>

#include <utility>

namespace stile {

// Carries out everything a machine wants and returns when to wake it next. `notify` may call the
// machine's inputs: nothing here holds on to it across a call.
template <Machine M, class Send, class Notify>
std::optional<Instant> drain(M& machine, Send&& send, Notify&& notify) {
    for (;;) {
        if (auto transmit = machine.poll_transmit()) {
            send(*transmit);
        } else if (auto event = machine.poll_event()) {
            notify(*std::move(event));
        } else {
            return machine.poll_timeout();
        }
    }
}

}  // namespace stile
