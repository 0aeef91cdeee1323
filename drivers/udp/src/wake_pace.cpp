// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "wake_pace.hpp"

namespace stile::drivers {

Duration WakePace::after_round(Instant now, std::size_t messages) {
    in_window_ += messages;
    const Duration passed = now - window_from_;
    if (passed >= window) {
        busy_ = static_cast<double>(in_window_) >=
                static_cast<double>(busy_rate) * std::chrono::duration<double>(passed).count();
        in_window_ = 0;
        window_from_ = now;
    }
    return busy_ && messages != 0 && messages < full_round ? patience : Duration::zero();
}

}  // namespace stile::drivers
