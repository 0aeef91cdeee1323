// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/stream.hpp>

namespace stile::drivers {

std::string_view to_string(CloseReason reason) {
    switch (reason) {
        case CloseReason::Local:
            return "closed here";
        case CloseReason::PeerClosed:
            return "closed by the peer";
        case CloseReason::Truncated:
            return "cut off";
        case CloseReason::Reset:
            return "reset";
        case CloseReason::Refused:
            return "refused";
        case CloseReason::Unreachable:
            return "unreachable";
        case CloseReason::TimedOut:
            return "timed out";
        case CloseReason::Untrusted:
            return "certificate not trusted";
        case CloseReason::Expired:
            return "certificate not valid now";
        case CloseReason::WrongName:
            return "certificate for another name";
        case CloseReason::RejectedByPeer:
            return "rejected by the peer";
        case CloseReason::Protocol:
            return "protocol error";
        case CloseReason::Proxy:
            return "refused by the proxy";
        case CloseReason::Failed:
            return "failed";
    }
    return "failed";
}

}  // namespace stile::drivers
