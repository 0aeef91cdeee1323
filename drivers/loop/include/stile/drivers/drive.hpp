// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/drain.hpp>
#include <stile/drivers/loop.hpp>

namespace stile::drivers {

// Drives a machine from a loop: carries out its outputs and keeps its timer. Call pump() after each
// input to the machine; timeouts are seen to here. `send` and `notify` may call inputs and pump()
// again: the outer call carries on with what they caused. The machine must outlive this.
template <Machine M, class Send, class Notify>
class Drive {
public:
    Drive(Loop& loop, M& machine, Send send, Notify notify)
        : loop_(loop),
          machine_(machine),
          send_(std::move(send)),
          notify_(std::move(notify)),
          timer_(loop, [this] {
              machine_.handle_timeout(loop_.now());
              pump();
          }) {}

    void pump() {
        if (pumping_) return;
        pumping_ = true;
        timer_.arm(drain(machine_, send_, notify_));
        pumping_ = false;
    }

private:
    Loop& loop_;
    M& machine_;
    Send send_;
    Notify notify_;
    Timer timer_;
    bool pumping_ = false;
};

}  // namespace stile::drivers
